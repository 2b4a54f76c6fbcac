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


# What is written in each revision: near-duplicates would be refused.
WORDS = {
    "legacy": ("Name branches after cards", "A branch bears the number of its card.", "Sockets drop at night", "Connect again, with since."),
    "auto": ("Test before you mend", "A mistake is first caught by a test.", "Clocks go back in autumn", "Store times in UTC alone."),
}


async def knows(client, mode):
    """Writes in the hub, and takes from it what is given out as a prompt."""

    async def call(name, **arguments):
        # The SDK compares what comes back with the schema that the tool was listed with.
        answer = await client.call_tool(name, arguments)
        assert not answer.is_error, (name, answer.content)
        return answer.structured_content

    async def refused(name, **arguments):
        answer = await client.call_tool(name, arguments)
        assert answer.is_error, (name, answer.structured_content)
        return answer.content[0].text

    name, content, title, lesson = WORDS[mode]
    draft = {"name": name, "description": "How we work.", "content": content}
    made = await call("knowledge_create", kind="blueprint", item=draft)
    # A draft is no prompt; an active blueprint is one from the next look on.
    drafts = [prompt.title for prompt in (await client.list_prompts(cache_mode="bypass")).prompts]
    change = {**draft, "status": "active", "version": made["version"], "why": "It holds now."}
    changed = await call("knowledge_update", kind="blueprint", itemId=made["id"], item=change)
    stale = await refused("knowledge_update", kind="blueprint", itemId=made["id"], item=change)
    prompts = (await client.list_prompts(cache_mode="bypass")).prompts
    prompt = next(prompt for prompt in prompts if prompt.title == name)
    given = await client.get_prompt(prompt.name, {"task": "Build the door."})

    learning = {"title": title, "content": lesson, "type": "bug-fix"}
    recorded = await call("learning_record", **learning)
    again = await refused("learning_record", **learning)
    applied = await call("learning_apply", learningId=recorded["id"], outcome="helped", note="At once.")
    return {
        "made": [made["id"], made["origin"], made["version"], made["status"]],
        "drafts": drafts,
        "changed": [changed["version"], changed["status"]],
        "stale": stale,
        "prompt": [message.content.text for message in given.messages],
        "recorded": [recorded["id"], recorded["review"]],
        "again": again,
        "applied": [applied["learning"]["applicationCount"], applied["learning"]["successCount"], applied["learning"]["review"]],
    }


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
                page = await client.list_resources()
                resources = page.resources
                while page.next_cursor:
                    page = await client.list_resources(cursor=page.next_cursor)
                    resources += page.resources
                found[mode] = {
                    "version": client.protocol_version,
                    "tools": [tool.name for tool in tools.tools],
                    "me": me.structured_content["name"],
                    "resources": [str(resource.uri) for resource in resources],
                    "hub": await knows(client, mode),
                }
    await browser.aclose()
    print(json.dumps(found))


asyncio.run(main())
