"""A conversation of two turns with each model of MODELS, in one piece and streamed, as SDK has it: prints what came of it as JSON."""

import json
import os

URL, KEY = os.environ["BASE_URL"], os.environ["KEY"]
NAME, ABOUT = "weather", "Of a city."
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def result(call_input):
    return "sun in " + call_input["city"]


def with_anthropic():
    import anthropic

    client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)
    tools = [{"name": NAME, "description": ABOUT, "input_schema": SCHEMA}]

    def ask(model, stream, messages):
        args = {"model": model, "max_tokens": 4000, "thinking": {"type": "adaptive"}, "tools": tools, "messages": messages}
        if not stream:
            return client.messages.create(**args)
        with client.messages.stream(**args) as events:
            return events.get_final_message()

    def of(message, kind):
        return [block for block in message.content if block.type == kind]

    def session(model, stream):
        messages = [{"role": "user", "content": "weather?"}]
        first = ask(model, stream, messages)
        calls = of(first, "tool_use")
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": result(call.input)} for call in calls]
        messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
        second = ask(model, stream, messages)
        return {
            "text": "".join(block.text for block in of(first, "text")),
            "thoughts": "".join(block.thinking for block in of(first, "thinking")),
            "calls": [[call.name, call.input] for call in calls],
            "end": "".join(block.text for block in of(second, "text")),
            "tokens": second.usage.output_tokens,
        }

    return session


def with_chat():
    import openai

    client = openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0)
    tools = [{"type": "function", "function": {"name": NAME, "description": ABOUT, "parameters": SCHEMA}}]

    def ask(model, stream, messages):
        args = {"model": model, "max_tokens": 4000, "reasoning_effort": "low", "tools": tools, "messages": messages}
        if not stream:
            answer = client.chat.completions.create(**args)
            return answer.choices[0].message.model_dump(exclude_none=True), answer.usage
        # A program that puts the pieces together itself.
        message = {"role": "assistant", "content": "", "reasoning_content": "", "tool_calls": []}
        for chunk in client.chat.completions.create(**args, stream=True, stream_options={"include_usage": True}):
            usage = chunk.usage
            for choice in chunk.choices:
                delta = choice.delta.model_dump(exclude_none=True)
                message["content"] += delta.get("content", "")
                message["reasoning_content"] += delta.get("reasoning_content", "")
                for piece in delta.get("tool_calls", []):
                    if piece["index"] == len(message["tool_calls"]):
                        message["tool_calls"].append({**piece, "function": {**piece["function"], "arguments": ""}})
                    message["tool_calls"][piece["index"]]["function"]["arguments"] += piece["function"].get("arguments", "")
        for call in message["tool_calls"]:
            del call["index"]
        return message, usage

    def session(model, stream):
        messages = [{"role": "user", "content": "weather?"}]
        first, _ = ask(model, stream, messages)
        calls = [[call["function"]["name"], json.loads(call["function"]["arguments"])] for call in first["tool_calls"]]
        messages.append(first)
        for call, (_, arguments) in zip(first["tool_calls"], calls):
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result(arguments)})
        second, usage = ask(model, stream, messages)
        return {
            "text": first["content"],
            "thoughts": first["reasoning_content"],
            "calls": calls,
            "end": second["content"],
            "tokens": usage.total_tokens,
        }

    return session


def with_responses():
    import openai

    client = openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0)
    tools = [{"type": "function", "name": NAME, "description": ABOUT, "strict": False, "parameters": SCHEMA}]

    def ask(model, stream, items):
        args = {
            "model": model, "input": items, "tools": tools, "max_output_tokens": 4000, "store": False,
            "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
        }
        if not stream:
            return client.responses.create(**args)
        with client.responses.stream(**args) as events:
            kinds = [event.type for event in events]
            assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
            return events.get_final_response()

    def session(model, stream):
        items = [{"role": "user", "content": "weather?"}]
        first = ask(model, stream, items)
        # What the helper for streams holds has a field of its own.
        items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in first.output]
        calls = [item for item in first.output if item.type == "function_call"]
        inputs = [json.loads(call.arguments) for call in calls]
        for call, given in zip(calls, inputs):
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": result(given)})
        second = ask(model, stream, items)
        thoughts = [item for item in first.output if item.type == "reasoning"]
        return {
            "text": first.output_text,
            "thoughts": "".join(part.text for item in thoughts for part in item.summary),
            "calls": [[call.name, given] for call, given in zip(calls, inputs)],
            "end": second.output_text,
            "tokens": second.usage.total_tokens,
        }

    return session


def with_google():
    from google import genai
    from google.genai import types

    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL))
    declaration = types.FunctionDeclaration(name=NAME, description=ABOUT, parameters_json_schema=SCHEMA)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declaration])],
        max_output_tokens=4000,
        thinking_config=types.ThinkingConfig(include_thoughts=True),
    )

    def ask(model, stream, history):
        if not stream:
            answer = client.models.generate_content(model=model, contents=history, config=config)
            return answer.candidates[0].content.parts, answer
        parts = []
        for piece in client.models.generate_content_stream(model=model, contents=history, config=config):
            parts += piece.candidates[0].content.parts or []
        return parts, piece

    def text(parts, thought=False):
        return "".join(part.text or "" for part in parts if bool(part.thought) == thought)

    def session(model, stream):
        history = [types.Content(role="user", parts=[types.Part(text="weather?")])]
        first, _ = ask(model, stream, history)
        calls = [part.function_call for part in first if part.function_call]
        answers = [
            types.FunctionResponse(id=call.id, name=call.name, response={"output": result(call.args)}) for call in calls
        ]
        history.append(types.Content(role="model", parts=first))
        history.append(types.Content(role="user", parts=[types.Part(function_response=one) for one in answers]))
        second, last = ask(model, stream, history)
        return {
            "text": text(first),
            "thoughts": text(first, thought=True),
            "calls": [[call.name, call.args] for call in calls],
            "end": text(second),
            "tokens": last.usage_metadata.total_token_count,
        }

    return session


session = {"anthropic": with_anthropic, "chat": with_chat, "responses": with_responses, "google": with_google}[os.environ["SDK"]]()
print(json.dumps([session(model, stream) for model in os.environ["MODELS"].split(",") for stream in (False, True)]))
