"""An unmodified Python MCP client that does what it is told, one line of JSON each way.

Its one argument says how to connect:
  {"stdio": [program, argument, …], "env": {…}, "mode": "auto"}
  {"http": url, "headers": {…}, "mode": "auto"}
`mode` is the newest client's way to begin ("auto", "legacy" or a version); older clients have one.
Commands: {"do": "list"}, {"do": "call", "name": …, "arguments": {…}, "meta": {…}}, {"do": "about"}.
"""

import contextlib
import json
import sys

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

try:
    from mcp import Client
except ImportError:
    Client = None


def dump(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def transport(how, stack):
    if "stdio" in how:
        command, *args = how["stdio"]
        server = StdioServerParameters(command=command, args=args, env=how.get("env"))
        return stdio_client(server, errlog=open(how["log"], "w") if "log" in how else sys.stderr)
    if Client is None:
        import httpx
    else:
        import httpx2 as httpx
    return streamable_http_client(
        how["http"], http_client=httpx.AsyncClient(headers=how.get("headers"), timeout=60)
    )


class New:
    """The client of mcp 2."""

    async def begin(self, how, stack):
        client = Client(transport(how, stack), mode=how.get("mode", "auto"))
        self.client = await stack.enter_async_context(client)

    async def about(self):
        return {
            "protocol": self.client.protocol_version,
            "server": dump(self.client.server_info),
            "instructions": self.client.instructions,
        }

    async def list(self):
        return dump(await self.client.list_tools())

    async def call(self, name, arguments, meta):
        return dump(await self.client.call_tool(name, arguments, meta=meta))


class Old:
    """The session of mcp 1."""

    async def begin(self, how, stack):
        streams = await stack.enter_async_context(transport(how, stack))
        self.session = await stack.enter_async_context(ClientSession(streams[0], streams[1]))
        self.begun = await self.session.initialize()

    async def about(self):
        return {
            "protocol": self.begun.protocolVersion,
            "server": dump(self.begun.serverInfo),
            "instructions": self.begun.instructions,
        }

    async def list(self):
        return dump(await self.session.list_tools())

    async def call(self, name, arguments, meta):
        return dump(await self.session.call_tool(name, arguments, meta=meta))


async def obey(client, command):
    match command.pop("do"):
        case "about":
            return await client.about()
        case "list":
            return await client.list()
        case "call":
            return await client.call(command["name"], command["arguments"], command.get("meta"))


async def main():
    how = json.loads(sys.argv[1])
    lines = anyio.wrap_file(sys.stdin)
    async with contextlib.AsyncExitStack() as stack:
        client = New() if Client else Old()
        await client.begin(how, stack)
        async for line in lines:
            try:
                answer = {"ok": await obey(client, json.loads(line))}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)


try:
    anyio.run(main)
except BaseException as error:
    # What a failed connection is told as, whatever groups it is wrapped in.
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
    sys.exit(1)
