"""An MCP server by the Python SDK, which a member adds to a project.

    server.py stdio    by its standard streams
    server.py http     by streamable HTTP, for who shows the token in MCP_TOKEN; prints its port
"""

import base64
import os
import socket
import sys

import uvicorn
from mcp.server.mcpserver import Audio, Image, MCPServer
from mcp.types import ToolAnnotations

server = MCPServer("calculator", version="1.2.3")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
def fail() -> str:
    """Fails."""
    raise ValueError("there is nothing to be done")


# A picture of one pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@server.tool()
def show() -> list:
    """Shows a picture, and plays a sound."""
    return [Image(data=base64.b64decode(PIXEL), format="png"), Audio(data=b"RIFF", format="wav"), "both"]


def guarded(app, token):
    async def asgi(scope, receive, send):
        if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization", b"") != f"Bearer {token}".encode():
            await send({"type": "http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Bearer")]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await app(scope, receive, send)

    return asgi


if sys.argv[1] == "stdio":
    server.run("stdio")
else:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # Whoever reads the port may call at once.
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    app = guarded(server.streamable_http_app(), os.environ["MCP_TOKEN"])
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
