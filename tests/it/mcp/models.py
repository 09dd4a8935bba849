"""Puts tools, as MCP lists them, into requests to a model's API, by the code that does so in earnest.

The tools come on standard input as JSON; the one argument says whose code: google, openai,
anthropic, or letta for Letta's way to each of the three. Printed is how many tools were put in.
Requests go to a server in this process, which checks that they arrive whole.
"""

import http.server
import json
import sys
import threading


class Model(http.server.BaseHTTPRequestHandler):
    """Takes one request and keeps it."""

    received = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        Model.received.append(json.loads(body))
        answer = json.dumps(self.server.answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def listen(answer):
    server = http.server.HTTPServer(("127.0.0.1", 0), Model)
    server.answer = answer
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def open_schema(tool):
    """What a tool takes, without SMCP's own `additionalProperties`, on which Google's code stumbles."""
    return {k: v for k, v in tool["inputSchema"].items() if k != "additionalProperties"}


def google(tools):
    from google import genai
    from google.genai import types
    from google.genai._mcp_utils import mcp_to_gemini_tools

    class Listed:
        def __init__(self, tool):
            self.name, self.description = tool["name"], tool["description"]
            self.inputSchema = open_schema(tool)

    plain = types.Tool.model_validate(
        {
            "functionDeclarations": [
                {
                    "name": t["name"],
                    "description": t["description"],
                    "parameters": open_schema(t),
                }
                for t in tools
            ]
        }
    )
    converted = mcp_to_gemini_tools([Listed(t) for t in tools])
    url = listen({"candidates": [{"content": {"parts": [{"text": "hi"}], "role": "model"}}]})
    options = types.HttpOptions(base_url=url)
    client = genai.Client(api_key="none", vertexai=False, http_options=options)
    quiet = types.AutomaticFunctionCallingConfig(disable=True)
    for given in ([plain], converted):
        client.models.generate_content(
            model="gemini-2.5-pro",
            contents="hi",
            config=types.GenerateContentConfig(tools=given, automatic_function_calling=quiet),
        )
    for body in Model.received:
        told = [f for t in body["tools"] for f in t["functionDeclarations"]]
        assert [f["name"] for f in told] == [t["name"] for t in tools]
        for f, t in zip(told, tools):
            assert set(f["parameters"]["properties"]) == set(t["inputSchema"]["properties"]), f
    return len(tools)


def openai(tools):
    from openai import OpenAI
    from openai.types.chat import ChatCompletionToolParam
    from openai.types.responses import FunctionToolParam
    from pydantic import TypeAdapter

    url = listen({"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": []})
    functions = [
        {"name": t["name"], "description": t["description"], "parameters": t["inputSchema"]} for t in tools
    ]
    for_chat = [{"type": "function", "function": f} for f in functions]
    for tool, function in zip(for_chat, functions):
        TypeAdapter(ChatCompletionToolParam).validate_python(tool)
        TypeAdapter(FunctionToolParam).validate_python({"type": "function", "strict": False, **function})
    client = OpenAI(api_key="none", base_url=url, max_retries=0)
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], tools=for_chat)
    assert Model.received[0]["tools"] == for_chat
    return len(tools)


def anthropic(tools):
    from anthropic import Anthropic
    from anthropic.types import ToolParam
    from pydantic import TypeAdapter

    url = listen(
        {
            "id": "x", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    )
    given = [
        {"name": t["name"], "description": t["description"], "input_schema": t["inputSchema"]} for t in tools
    ]
    for tool in given:
        TypeAdapter(ToolParam).validate_python(tool)
    client = Anthropic(api_key="none", base_url=url, max_retries=0)
    client.messages.create(
        model="m", max_tokens=5, messages=[{"role": "user", "content": "hi"}], tools=given
    )
    assert Model.received[0]["tools"] == given
    return len(tools)


def letta(tools):
    """What Letta keeps of an MCP server's tools, and what it makes of that for each model."""
    from anthropic.types.beta import BetaToolParam
    from google.genai import types
    from letta.functions.mcp_client.types import MCPTool
    from letta.functions.schema_generator import generate_tool_schema_for_mcp
    from letta.functions.schema_validator import SchemaHealth, validate_complete_json_schema
    from letta.llm_api.anthropic_client import convert_tools_to_anthropic_format
    from letta.llm_api.google_vertex_client import GoogleVertexClient
    from letta.schemas.llm_config import LLMConfig
    from letta.schemas.openai.chat_completion_request import FunctionSchema, Tool
    from pydantic import TypeAdapter

    for heartbeat in (False, True):
        for strict in (False, True):
            kept = []
            for tool in tools:
                listed = MCPTool.model_validate(tool)
                schema = generate_tool_schema_for_mcp(listed, append_heartbeat=heartbeat, strict=strict)
                health, reasons = validate_complete_json_schema(schema["parameters"])
                assert health != SchemaHealth.INVALID, (tool["name"], reasons)
                schema = {k: v for k, v in schema.items() if k in ("name", "description", "parameters")}
                kept.append(Tool(type="function", function=FunctionSchema(**schema)))
            for thoughts in (False, True):
                config = LLMConfig(
                    model="gemini-2.5-pro", model_endpoint_type="google_ai", context_window=100000,
                    put_inner_thoughts_in_kwargs=thoughts,
                )
                made = GoogleVertexClient().convert_tools_to_google_ai_format(kept, config)
                # `strict` makes unions with null of what is optional, which is for OpenAI alone.
                if not strict:
                    checked = types.GenerateContentConfig(tools=made)
                    told = checked.tools[0].function_declarations
                    assert [f.name for f in told] == [t["name"] for t in tools]
            for tool in convert_tools_to_anthropic_format(kept):
                TypeAdapter(BetaToolParam).validate_python(tool)
    return len(tools)


print({"google": google, "openai": openai, "anthropic": anthropic, "letta": letta}[sys.argv[1]](json.load(sys.stdin)))
