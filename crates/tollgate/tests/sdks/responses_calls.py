"""Counts and compactions of the Responses API, by OpenAI's SDK, with each of the models."""
import json
import os

import openai

client = openai.OpenAI(base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["KEY"], max_retries=0)
CALLED = [
    {"role": "user", "content": "weather?"},
    {"type": "function_call", "call_id": "call_a", "name": "weather", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_a", "output": "sunny"},
]
TOOLS = [{"type": "function", "name": "weather", "strict": False, "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]

counts, errors, compacted = {}, [], None
for model in os.environ["MODELS"].split(","):
    first = client.responses.create(model=model, input=CALLED, tools=TOOLS, max_output_tokens=100)
    alone = client.responses.input_tokens.count(model=model, input="hello world")
    whole = client.responses.input_tokens.count(model=model, input="hello world", previous_response_id=first.id)
    assert alone.object == "response.input_tokens", alone
    counts[model] = [alone.input_tokens, whole.input_tokens]
    try:
        shorter = client.responses.compact(model=model, input=CALLED[:1], instructions="Be brief.")
        compacted = [shorter.object, [item.type for item in shorter.output], shorter.usage.total_tokens > 0]
        items = [item.model_dump(exclude_none=True) for item in shorter.output] + [{"role": "user", "content": "and now?"}]
        client.responses.create(model=model, input=items, max_output_tokens=100)
    except openai.APIStatusError as error:
        errors.append([type(error).__name__, error.code, error.param])
print(json.dumps({"counts": counts, "compacted": compacted, "errors": errors}))
