"""Makes the calls in calls.json with Anthropic's SDK, one after the other, and prints what each gave as a JSON list.

A call: {"do": …, "args": {…}, "client": {…}}. In the arguments {"$content": n} stands for the content of answer n, as
the SDK holds it: a program would pass it on like this.
"""

import json
import os

import anthropic

given = []
told = []


def with_content(value):
    if isinstance(value, dict):
        if "$content" in value:
            return given[value["$content"]].content
        return {key: with_content(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_content(inner) for inner in value]
    return value


def plain(value):
    return value.model_dump(mode="json", warnings=False)


def call(do, args, client):
    if do == "create":
        raw = client.messages.with_raw_response.create(**args)
        message = raw.parse()
        return message, {"message": plain(message), "headers": dict(raw.headers), "request_id": message._request_id}
    if do == "stream":
        with client.messages.stream(**args) as stream:
            events = [event.type for event in stream]
            message = stream.get_final_message()
        return message, {"message": plain(message), "events": events}
    if do == "events":
        events = []
        for event in client.messages.create(stream=True, **args):
            events.append(plain(event))
            told[-1]["events"] = events
        return None, {"events": events}
    if do == "count":
        return None, {"input_tokens": client.messages.count_tokens(**args).input_tokens}
    if do == "models":
        return None, {"models": [plain(model) for model in client.models.list(**args)]}
    if do == "model":
        return None, {"model": plain(client.models.retrieve(**args))}
    raise ValueError(do)


for one in json.load(open("calls.json")):
    settings = {"api_key": os.environ["KEY"], "max_retries": 0, "base_url": os.environ["BASE_URL"]}
    told.append({})
    try:
        client = anthropic.Anthropic(**{**settings, **one.get("client", {})})
        answer, result = call(one["do"], with_content(one.get("args", {})), client)
        given.append(answer)
        told[-1].update(result)
    except anthropic.APIError as error:
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
