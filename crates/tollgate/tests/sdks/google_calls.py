"""Talks with Google's SDK as calls.json says, and prints what came of it as JSON.

{"model": …, "stream": bool}: one conversation with a function, over two turns, then a count, a list and an error; where
the model has them, embeddings.
"""

import json
import os

from google import genai
from google.genai import errors, types

asked = json.load(open("calls.json"))


def client_with(key):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=os.environ["BASE_URL"]))


client = client_with(os.environ["KEY"])
declaration = types.FunctionDeclaration(
    name="read",
    description="Reads.",
    parameters=types.Schema(
        type="OBJECT", properties={"path": types.Schema(type="STRING", nullable=True)}, required=["path"]
    ),
)
config = types.GenerateContentConfig(
    system_instruction="Be brief.",
    tools=[types.Tool(function_declarations=[declaration])],
    max_output_tokens=4000,
    thinking_config=types.ThinkingConfig(include_thoughts=True),
)


def parts_of(history):
    if not asked["stream"]:
        answer = client.models.generate_content(model=asked["model"], contents=history, config=config)
        return answer.candidates[0].content.parts, answer
    parts = []
    for piece in client.models.generate_content_stream(model=asked["model"], contents=history, config=config):
        parts += piece.candidates[0].content.parts or []
    return parts, piece


history = [types.Content(role="user", parts=[types.Part(text="Look.")])]
first, _ = parts_of(history)
calls = [part.function_call for part in first if part.function_call]
history.append(types.Content(role="model", parts=first))
results = [
    types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": "empty"}))
    for call in calls
]
history.append(types.Content(role="user", parts=results))
second, last = parts_of(history)


def text(parts, thought):
    return "".join(part.text or "" for part in parts if bool(part.thought) == thought)


try:
    stranger = client_with("wrong")
    stranger.models.generate_content(model=asked["model"], contents="hi")
    refused = None
except errors.APIError as error:
    refused = {"code": error.code, "status": error.status}

embeddings = None
if asked["embeds"]:
    given = client.models.embed_content(
        model=asked["model"],
        contents=["one", "two six"],
        config=types.EmbedContentConfig(output_dimensionality=2, task_type="CLUSTERING"),
    )
    embeddings = [embedding.values for embedding in given.embeddings]

print(
    json.dumps(
        {
            "text": text(first, False),
            "thoughts": text(first, True),
            "calls": [{"name": call.name, "args": call.args} for call in calls],
            "then": text(second, False),
            "finish": last.candidates[0].finish_reason.name,
            "total": last.usage_metadata.total_token_count,
            "counted": client.models.count_tokens(model=asked["model"], contents="hello there").total_tokens,
            "models": sorted(model.name for model in client.models.list()),
            "refused": refused,
            "embeddings": embeddings,
        }
    )
)
