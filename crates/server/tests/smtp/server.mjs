// A mail server for tests: smtp-server by the authors of Nodemailer, told by its arguments how to behave. Says on its first
// line where it listens, then writes each mail that it takes as a line of JSON.
//
//   node server.mjs '{"port": 0, "tls": "starttls", "key": "…", "cert": "…", "user": "u", "password": "p"}'
//
// Mail to these addresses is treated so: later-N@… is put off (451) N times, never@… is refused (550) at RCPT TO,
// spam@… is refused (554) after its data, cut-N@… has the connection cut in its data N times, slow@… is answered after
// a moment.
import { readFileSync } from "node:fs";
import { SMTPServer } from "smtp-server";

const wish = JSON.parse(process.argv[2] ?? "{}");
const put = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const times = new Map();
const refused = (code, words) => Object.assign(new Error(words), { responseCode: code });

/** Whether an address of the form NAME-N@… has been seen N times. */
function spared(name, address) {
  const found = new RegExp(`^${name}-(\\d+)@`).exec(address);
  if (found === null) return true;
  const seen = (times.get(address) ?? 0) + 1;
  times.set(address, seen);
  return seen > Number(found[1]);
}

const server = new SMTPServer({
  secure: wish.tls === "wrapped",
  hideSTARTTLS: wish.tls !== "starttls",
  ...(wish.key ? { key: readFileSync(wish.key), cert: readFileSync(wish.cert) } : {}),
  authOptional: wish.user === undefined,
  disabledCommands: wish.user === undefined ? ["AUTH"] : [],
  allowInsecureAuth: true,
  disableReverseLookup: true,
  onAuth: ({ username, password }, session, done) =>
    username === wish.user && password === wish.password
      ? done(null, { user: username })
      : done(refused(535, "these credentials are not right")),
  onRcptTo: ({ address }, session, done) => {
    if (address.startsWith("never@")) return done(refused(550, "there is no such mailbox"));
    if (!spared("later", address)) return done(refused(451, "come back later"));
    done();
  },
  onData: (stream, session, done) => {
    const to = session.envelope.rcptTo.map((one) => one.address);
    if (!spared("cut", to[0])) {
      // The client has sent its mail and is left without an answer.
      for (const connection of server.connections) connection._socket.destroy();
      return;
    }
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("end", () => {
      if (to[0].startsWith("spam@")) return done(refused(554, "this looks like spam"));
      const answer = () => {
        put({
          from: session.envelope.mailFrom.address,
          to,
          secure: session.secure,
          user: session.user ?? null,
          raw: Buffer.concat(chunks).toString("latin1"),
        });
        done(null, "taken");
      };
      setTimeout(answer, to[0].startsWith("slow@") ? 300 : 0);
    });
  },
});
// A client that goes away is no matter.
server.on("error", () => {});
server.listen(wish.port ?? 0, "127.0.0.1", () => put({ port: server.server.address().port }));
