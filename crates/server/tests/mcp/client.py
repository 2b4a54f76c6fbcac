"""A program that a member connects, with the Python SDK: OAuth from a bare address on, then both revisions of MCP.

    client.py URL    the address of the MCP endpoint; the member's cookie stands in GUILDHALL_COOKIE
"""

import asyncio
import json
import os
import sys
from urllib.parse import parse_qs, urlparse

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

URL = sys.argv[1]
BASE = URL.removesuffix("/mcp")


class Memory:
    """Keeps the tokens for as long as the program runs."""

    def __init__(self):
        self.tokens = None
        self.info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.info

    async def set_client_info(self, info):
        self.info = info


async def main():
    answer = {}
    browser = httpx2.AsyncClient(headers={"cookie": os.environ["GUILDHALL_COOKIE"], "origin": BASE})

    async def lead(url):
        """What the member's browser does: goes there, and says yes on the page."""
        led = await browser.get(url, follow_redirects=False)
        ask = parse_qs(urlparse(led.headers["location"]).query)["ask"][0]
        asked = {name: values[0] for name, values in parse_qs(ask).items()}
        camel = lambda name: name.split("_")[0] + "".join(word.title() for word in name.split("_")[1:])
        asking = {camel(name): value for name, value in asked.items()}
        yes = {"asking": asking, "scopes": ["read", "write", "knowledge"]}
        said = await browser.post(f"{BASE}/api/oauth/consent", json=yes)
        assert said.status_code == 201, said.text
        answer.update(parse_qs(urlparse(said.json()["to"]).query))

    async def called_back():
        return AuthorizationCodeResult(code=answer["code"][0], state=answer["state"][0], iss=answer["iss"][0])

    provider = OAuthClientProvider(
        server_url=URL,
        client_metadata=OAuthClientMetadata(
            client_name="Python SDK", redirect_uris=["http://127.0.0.1:3030/callback"], grant_types=["authorization_code", "refresh_token"]
        ),
        storage=Memory(),
        redirect_handler=lead,
        callback_handler=called_back,
    )
    found = {}
    async with httpx2.AsyncClient(auth=provider, timeout=30) as http:
        for mode in ("legacy", "auto"):
            async with Client(streamable_http_client(URL, http_client=http), mode=mode) as client:
                tools = await client.list_tools()
                me = await client.call_tool("member_me", {})
                resources = await client.list_resources()
                found[mode] = {
                    "version": client.protocol_version,
                    "tools": [tool.name for tool in tools.tools],
                    "me": me.structured_content["name"],
                    "resources": [str(resource.uri) for resource in resources.resources],
                }
    await browser.aclose()
    print(json.dumps(found))


asyncio.run(main())
