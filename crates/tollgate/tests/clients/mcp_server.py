"""A tiny MCP server on standard input and output, with tools whose schemas are not of the plainest kind."""
import json
import sys

MEASURE = {
    "name": "measure",
    "description": "Counts the characters of a text.",
    "inputSchema": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "text": {"type": "string", "minLength": 1},
            "unit": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["text"],
        "additionalProperties": False,
    },
}
# Its full name, mcp__desk__…, is longer than the 64 characters that a chat provider takes.
LONG = {
    "name": "report_" + "in_a_very_wordy_way_" * 2 + "to_the_reader_of_it",
    "description": "Says that it was called.",
    "inputSchema": {"type": "object"},
}


def call(name, arguments):
    if name == "measure":
        return f"{len(arguments['text'])} characters"
    return "the long name arrived"


def answer(request):
    method, params = request["method"], request.get("params", {})
    if method == "initialize":
        info = {"name": "desk", "version": "1"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [MEASURE] + ([LONG] if "long" in sys.argv else [])}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": call(params["name"], params.get("arguments", {}))}]}
    return {}


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": answer(request)}), flush=True)
