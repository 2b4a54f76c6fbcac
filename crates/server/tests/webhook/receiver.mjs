// A receiver of webhooks for tests, which verifies each message with the library of Standard Webhooks. Says on its first line
// where it listens, then writes each message as a line of JSON.
//
//   node receiver.mjs
//
// Each line on its input is JSON: {"path": "/ok", "secret": "whsec_…"} gives the secret of a path, {"now": 1759536000000} sets
// its clock; both are answered by {"heard": true}.
//
// What is sent to these paths is treated so: /ok is taken, /fail-N is refused (500) N times and taken then, /hang is never
// answered, /hold-N is not answered N times and taken then, /cut has its connection cut, /huge is answered without end,
// /slow is taken and its body never ends, /redirect is sent to a cloud's metadata, /gone is answered 410, /busy is answered
// 429 with two minutes to wait.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

const put = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const secrets = new Map();
const times = new Map();

/** Whether a path of the form NAME-N has been called N times. */
function spared(name, path) {
  const found = new RegExp(`^/${name}-(\\d+)$`).exec(path);
  if (found === null) return true;
  const seen = (times.get(path) ?? 0) + 1;
  times.set(path, seen);
  return seen > Number(found[1]);
}

function verified(path, body, headers) {
  try {
    new Webhook(secrets.get(path) ?? "whsec_AAAA").verify(body, headers);
    return true;
  } catch (error) {
    return String(error.message);
  }
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("error", () => {});
  response.on("error", () => {});
  request.on("end", () => {
    const body = Buffer.concat(chunks).toString("utf8");
    const path = request.url;
    put({ path, body, headers: request.headers, verified: verified(path, body, request.headers) });
    if (path === "/hang" || !spared("hold", path)) return;
    if (path === "/cut") return request.socket.destroy();
    if (path === "/gone") return response.writeHead(410).end();
    if (path === "/busy") return response.writeHead(429, { "retry-after": "120" }).end("not now");
    if (path === "/redirect") return response.writeHead(302, { location: "http://169.254.169.254/latest" }).end();
    if (path === "/slow") return response.writeHead(200).write("a beginning");
    if (path === "/huge") {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(65536)));
      };
      response.on("drain", more);
      return more();
    }
    if (!spared("fail", path)) return response.writeHead(500).end("it is broken");
    response.writeHead(200).end("thanks");
  });
});
server.on("clientError", () => {});

createInterface({ input: process.stdin }).on("line", (line) => {
  const { path, secret, now } = JSON.parse(line);
  if (path !== undefined) secrets.set(path, secret);
  if (now !== undefined) Date.now = () => now;
  put({ heard: true });
});
server.listen(0, "127.0.0.1", () => put({ port: server.address().port }));
