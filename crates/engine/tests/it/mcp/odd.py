# An MCP server of the older kind that does what none should. What it is to do stands in its environment.
import json
import os
import sys
import time


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def tools():
    more = os.environ.get("SAYS", "Says it again.")
    names = "echo secret die hang flood ask write grow fill photo wait once notices".split()
    bare = {"type": "object", "properties": {"text": {"type": "string"}}}
    listed = [{"name": n, "description": more if n == "echo" else n, "inputSchema": bare} for n in names]
    listed[0]["annotations"] = {"readOnlyHint": True}
    return listed + grown


def ask():
    asks = ["sampling/createMessage", "roots/list", "elicitation/create"]
    forms = [{"messages": [], "maxTokens": 1}, {}, {"message": "Your name?", "requestedSchema": {"type": "object", "properties": {}}}]
    for n, (method, params) in enumerate(zip(asks, forms)):
        say({"jsonrpc": "2.0", "id": f"ask-{n}", "method": method, "params": params})
    answers = {}
    while len(answers) < len(asks):
        message = json.loads(sys.stdin.readline())
        if str(message.get("id")).startswith("ask-"):
            answers[message["id"]] = "refused" if "error" in message else "granted"
    return " ".join(answers[key] for key in sorted(answers))


def call(name, arguments):
    if name == "echo":
        return "You said: " + arguments.get("text", "")
    if name == "secret":
        kept = " with caches" if os.path.exists("/run/cache") else ""
        return "The key is " + os.environ["KEY"] + ", of " + os.environ.get("MODE", "-") + " in " + os.getcwd() + kept
    if name == "die":
        print("the key was " + os.environ["KEY"], file=sys.stderr, flush=True)
        os._exit(9)
    if name == "hang":
        time.sleep(600)
    if name == "flood":
        return "x" * 10_000_000
    if name == "ask":
        return ask()
    if name == "write":
        with open("/workspace/made.txt", "w") as file:
            file.write("made\n")
        return "written"
    if name == "photo":
        return "Snap, a photo"
    if name == "once":
        with open("/workspace/calls.txt", "a") as file:
            file.write("x")
        time.sleep(600)
    if name == "wait":
        note("begun")
        for line in sys.stdin:
            message = json.loads(line)
            if message.get("method") == "notifications/cancelled":
                note("told " + json.dumps(message["params"].get("requestId") == current))
        note("ended")
        sys.exit(0)
    if name == "notices":
        for n in range(30_000):
            say({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "so"}})
        return "at last"
    if name == "fill":
        os.mkdir("/workspace/build")
        with open("/workspace/.gitignore", "w") as file:
            file.write("build\n")
        with open("/workspace/build/large", "wb") as file:
            file.write(bytes(50_000_000))
            os.fsync(file)
        time.sleep(600)
    if name == "grow":
        grown.append({"name": "extra", "description": "New.", "inputSchema": {"type": "object"}})
        say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        return "grown"


def note(word):
    with open("/workspace/noted-" + word.split()[0], "w") as file:
        file.write(word)


# A picture of one pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
current = None
grown = []
mode = os.environ.get("MODE")
if mode == "garbage":
    print("Hello! I am no server, key " + os.environ["KEY"], flush=True)
    time.sleep(600)
if mode == "broken":
    print("cannot read " + os.environ["KEY"], file=sys.stderr)
    sys.exit(3)
if mode == "leaky":
    grown.append({"name": "leak", "description": "The key is " + os.environ["KEY"], "inputSchema": {"type": "object"}})
    grown.append({"name": "either", "description": "One or the other.", "inputSchema": {"type": "object", "anyOf": [{}]}})
for line in sys.stdin:
    message = json.loads(line)
    number, method = message.get("id"), message.get("method")
    answer = {"jsonrpc": "2.0", "id": number}
    if method == "initialize":
        about = {"name": "odd", "version": "1"}
        say(answer | {"result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": True}}, "serverInfo": about}})
    elif method == "tools/list":
        say(answer | {"result": {"tools": tools()}})
    elif method == "tools/call":
        current = number
        text = call(message["params"]["name"], message["params"].get("arguments", {}))
        image = {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"}
        content = [{"type": "text", "text": text}] + ([image] if text.endswith("picture") else [])
        if text.endswith("photo"):
            content.append({"type": "image", "data": PIXEL, "mimeType": "image/webp"})
        say(answer | {"result": {"content": content}})
    elif method and number is not None:
        say(answer | {"error": {"code": -32601, "message": "not known"}})
