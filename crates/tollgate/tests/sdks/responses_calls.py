# One tool session with each model, whole and streamed, as the SDK has it; then errors. Prints what came of it as JSON.
import json, os
import openai

client = openai.OpenAI(base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["KEY"], max_retries=0)
TOOLS = [{"type": "function", "name": "weather", "strict": False, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]


def whole(**args):
    return client.responses.create(**args)


def streamed(**args):
    with client.responses.stream(**args) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    return answer


told = []
for model in os.environ["MODELS"].split(","):
    for how in (whole, streamed):
        items = [{"role": "user", "content": "weather?"}]
        first = how(model=model, input=items, tools=TOOLS, max_output_tokens=100)
        items += [item.model_dump(exclude_none=True) for item in first.output]
        calls = [item for item in first.output if item.type == "function_call"]
        items += [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls]
        second = how(model=model, input=items, tools=TOOLS, max_output_tokens=100)
        told.append({
            "model": first.model, "text": first.output_text, "kinds": [item.type for item in first.output],
            "calls": [[call.call_id, call.name, json.loads(call.arguments)] for call in calls],
            "tokens": first.usage.total_tokens, "end": second.output_text, "status": second.status,
        })
errors = []
for args in ({"model": "none-such", "input": "x"}, {"model": "chat", "input": "x", "previous_response_id": "resp_1"}):
    try:
        client.responses.create(**args)
    except openai.APIStatusError as error:
        errors.append([type(error).__name__, error.code, error.param])
counts, compacted = {}, None
for model in os.environ["MODELS"].split(","):
    called = [{"role": "user", "content": "weather?"},
              {"type": "function_call", "call_id": "call_a", "name": "weather", "arguments": "{}"},
              {"type": "function_call_output", "call_id": "call_a", "output": "sunny"}]
    first = client.responses.create(model=model, input=called, tools=TOOLS, max_output_tokens=100)
    alone = client.responses.input_tokens.count(model=model, input="hello world")
    whole = client.responses.input_tokens.count(model=model, input="hello world", previous_response_id=first.id)
    assert alone.object == "response.input_tokens", alone
    counts[model] = [alone.input_tokens, whole.input_tokens]
    try:
        shorter = client.responses.compact(model=model, input=[{"role": "user", "content": "weather?"}], instructions="Be brief.")
        compacted = [shorter.object, [item.type for item in shorter.output], shorter.usage.total_tokens > 0]
        items = [item.model_dump(exclude_none=True) for item in shorter.output] + [{"role": "user", "content": "and now?"}]
        client.responses.create(model=model, input=items, max_output_tokens=100)
    except openai.APIStatusError as error:
        errors.append([type(error).__name__, error.code, error.param])
print(json.dumps({"told": told, "errors": errors, "counts": counts, "compacted": compacted}))
