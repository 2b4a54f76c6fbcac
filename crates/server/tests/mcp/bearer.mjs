// Stands between a client that can show no token and the server: adds the token to each request.
//
//   bearer.mjs ADDRESS    the token stands in GUILDHALL_TOKEN
import { createServer, request } from "node:http";

const target = new URL(process.argv[2]);
const server = createServer((incoming, outgoing) => {
  const headers = { ...incoming.headers, authorization: `Bearer ${process.env.GUILDHALL_TOKEN}` };
  // The name by which the client knows this proxy is not the server's; a foreign one is passed on, to be refused.
  if (headers.host === `127.0.0.1:${server.address().port}` || headers.host === `localhost:${server.address().port}`) {
    headers.host = target.host;
  }
  if (headers.origin === `http://${incoming.headers.host}`) headers.origin = target.origin;
  const onward = request(new URL(incoming.url, target), { method: incoming.method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on("error", () => outgoing.destroy());
  incoming.pipe(onward);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit());
