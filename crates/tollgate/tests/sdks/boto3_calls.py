"""Converse and InvokeModel by boto3, whole and streamed, with keys from AssumeRole; then what is refused. Prints it as JSON."""

import json
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL, REGION = os.environ["URL"], "eu-west-1"
MODEL = "us.anthropic.claude-sonnet-4-6"
ARN = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/x1"


def client(service, *keys):
    names = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"]
    config = Config(retries={"total_max_attempts": 1})
    return boto3.client(service, endpoint_url=URL, region_name=REGION, config=config, **dict(zip(names, keys)))


user = (os.environ["ID"], os.environ["SECRET"])
given = client("sts", *user).assume_role(RoleArn=os.environ["ROLE"], RoleSessionName="test")["Credentials"]
bedrock = client("bedrock-runtime", given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
TOOLS = {"tools": [{"toolSpec": {"name": "look", "description": "Looks.", "inputSchema": {"json": SCHEMA}}}]}
ASKED = [{"role": "user", "content": [{"text": "hi"}]}]


def whole(messages):
    answer = bedrock.converse(modelId=MODEL, messages=messages, toolConfig=TOOLS)
    return answer["output"]["message"]["content"], answer["stopReason"]


def streamed(messages):
    blocks, stop = {}, None
    for event in bedrock.converse_stream(modelId=MODEL, messages=messages, toolConfig=TOOLS)["stream"]:
        if "contentBlockStart" in event:
            start = event["contentBlockStart"]
            blocks[start["contentBlockIndex"]] = {"toolUse": {**start["start"]["toolUse"], "input": ""}}
        elif "contentBlockDelta" in event:
            delta, index = event["contentBlockDelta"]["delta"], event["contentBlockDelta"]["contentBlockIndex"]
            if "reasoningContent" in delta:
                block = blocks.setdefault(index, {"reasoningContent": {"reasoningText": {}}})
                for key, text in delta["reasoningContent"].items():
                    parts = block["reasoningContent"]["reasoningText"]
                    parts[key] = parts.get(key, "") + text
            elif "toolUse" in delta:
                blocks[index]["toolUse"]["input"] += delta["toolUse"]["input"]
            else:
                blocks.setdefault(index, {"text": ""})["text"] += delta["text"]
        elif "messageStop" in event:
            stop = event["messageStop"]["stopReason"]
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"])
    return [blocks[index] for index in sorted(blocks)], stop


def talk(ask):
    content, stop = ask(ASKED)
    calls = [block["toolUse"] for block in content if "toolUse" in block]
    results = [{"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "ok"}]}} for call in calls]
    end, _ = ask(ASKED + [{"role": "assistant", "content": content}, {"role": "user", "content": results}])
    return {"content": content, "stop": stop, "end": end[0]["text"]}


def invoked():
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    answer = json.loads(bedrock.invoke_model(modelId=ARN, body=json.dumps(body))["body"].read())
    stream = bedrock.invoke_model_with_response_stream(modelId=MODEL, body=json.dumps(body))["body"]
    events = [json.loads(event["chunk"]["bytes"]) for event in stream]
    text = "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")
    return [answer["content"][0]["text"], text]


def refused(keys, messages):
    try:
        client("bedrock-runtime", *keys).converse(modelId=MODEL, messages=messages)
    except ClientError as error:
        return error.response["Error"]["Code"]


ended = json.loads(os.environ["ENDED"])[:3]
cases = [((user[0], "wrong"), ASKED), (ended, ASKED), (("AKIANOBODY", "x"), ASKED), (user, [])]
print(json.dumps({"converse": [talk(whole), talk(streamed)], "invoke": invoked(), "refused": [refused(*case) for case in cases]}))
