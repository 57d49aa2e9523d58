"""Makes the calls in calls.json with OpenAI's SDK, one after the other, and prints what each gave as a JSON list.

A call: {"do": …, "args": {…}, "client": {…}}. In the arguments {"$message": n} stands for the message of answer n, as
the SDK holds it: a program would pass it on like this.
"""

import json
import os

import openai

given = []
told = []


def replayed(message):
    # What the stream helper holds has fields of the helper's own, which no API takes.
    if not isinstance(message, openai.types.chat.ParsedChatCompletionMessage):
        return message
    calls = message.model_dump(include={"tool_calls": {"__all__": {"id": True, "type": True, "function": {"name", "arguments"}}}})
    return {"role": "assistant", "content": message.content, **calls}


def with_messages(value):
    if isinstance(value, dict):
        if "$message" in value:
            return replayed(given[value["$message"]].choices[0].message)
        return {key: with_messages(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_messages(inner) for inner in value]
    return value


def plain(value):
    return value.model_dump(mode="json", warnings=False)


def call(do, args, client):
    if do == "create":
        raw = client.chat.completions.with_raw_response.create(**args)
        answer = raw.parse()
        return answer, {"answer": plain(answer), "headers": dict(raw.headers), "request_id": answer._request_id}
    if do == "stream":
        with client.chat.completions.stream(**args) as stream:
            events = [event.type for event in stream]
            answer = stream.get_final_completion()
        return answer, {"answer": plain(answer), "events": events}
    if do == "chunks":
        chunks = []
        for chunk in client.chat.completions.create(stream=True, **args):
            chunks.append(plain(chunk))
            told[-1]["chunks"] = chunks
        return None, {"chunks": chunks}
    if do == "models":
        return None, {"models": [plain(model) for model in client.models.list()]}
    if do == "model":
        return None, {"model": plain(client.models.retrieve(**args))}
    raise ValueError(do)


for one in json.load(open("calls.json")):
    settings = {"api_key": os.environ["KEY"], "max_retries": 0, "base_url": os.environ["BASE_URL"] + "/v1"}
    told.append({})
    try:
        client = openai.OpenAI(**{**settings, **one.get("client", {})})
        answer, result = call(one["do"], with_messages(one.get("args", {})), client)
        given.append(answer)
        told[-1].update(result)
    except openai.APIError as error:
        given.append(None)
        status = getattr(error, "status_code", None)
        told[-1]["error"] = {
            "class": type(error).__name__,
            "status": status,
            "message": str(error),
            "body": error.body,
            "type": getattr(error, "type", None),
            "request_id": getattr(error, "request_id", None),
            "headers": dict(error.response.headers) if status else {},
        }
print(json.dumps(told))
