// A real OpenID provider for the tests, on loopback and a free port, that can be told to lie.
//
//   node provider.mjs [how many]     prints the issuer of each on a line of its own; ends with its standard input
//
// What a provider is told comes by POST /test/set: who signs in without being asked, what is known of people, where it may
// lead back to, which lie it tells and what is wrong with it.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { CompactSign, exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";

const CLIENT = { client_id: "guildhall", client_secret: "the-secret-of-the-client-of-the-tests-0001" };
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const base64 = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

async function makeKey(kid) {
  const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
  const more = { kid, use: "sig", alg: "RS256" };
  return { kid, privateKey, secret: { ...(await exportJWK(privateKey)), ...more }, public: { ...(await exportJWK(publicKey)), ...more } };
}

const sign = (payload, key, header = {}) =>
  new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: "RS256", kid: key.kid, ...header })
    .sign(key.privateKey ?? key);

/** Lies about the claims of an ID token; it is then signed as it should be. */
const CLAIMS = {
  nonce: (claims) => ({ ...claims, nonce: "another" }),
  "no-nonce": ({ nonce, ...claims }) => claims,
  issuer: (claims) => ({ ...claims, iss: "https://evil.example" }),
  audience: (claims) => ({ ...claims, aud: "another" }),
  "two-audiences": (claims) => ({ ...claims, aud: [CLIENT.client_id, "another"], azp: CLIENT.client_id }),
  azp: (claims) => ({ ...claims, azp: "another" }),
  expired: (claims) => ({ ...claims, exp: Math.floor(Date.now() / 1000) - 600 }),
  old: (claims) => ({ ...claims, iat: Math.floor(Date.now() / 1000) - 3600 }),
  early: (claims) => ({ ...claims, iat: Math.floor(Date.now() / 1000) + 3600 }),
  "access-token": (claims) => ({ ...claims, at_hash: base64(randomBytes(16)) }),
  "no-subject": (claims) => ({ ...claims, sub: "" }),
  "signed-in-long-ago": (claims) => ({ ...claims, auth_time: Math.floor(Date.now() / 1000) - 3600 }),
  "says-not-when": ({ auth_time, ...claims }) => claims,
};

/** Lies about the signature. */
const SIGNATURES = {
  none: async (claims) => `${base64({ alg: "none", typ: "JWT" })}.${base64(claims)}.`,
  hs256: (claims, { key }) =>
    new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: "HS256", kid: key.kid })
      .sign(Buffer.from(CLIENT.client_secret)),
  // The public key taken for a shared secret.
  "hs256-public": (claims, { key }) =>
    new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: "HS256", kid: key.kid })
      .sign(Buffer.from(JSON.stringify(key.public))),
  "foreign-key": (claims, { foreign, key }) => sign(claims, foreign, { kid: key.kid }),
  "unpublished-key": (claims, { foreign }) => sign(claims, foreign),
  changed: async (claims, { key }) => {
    const [header, , signature] = (await sign(claims, key)).split(".");
    return `${header}.${base64({ ...claims, sub: "somebody-else" })}.${signature}`;
  },
};

async function start() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const keys = { key: await makeKey("one"), foreign: await makeKey("foreign"), next: await makeKey("two") };
  const told = { who: null, people: {}, redirects: [], lie: null, fault: null, inIdToken: false, rotated: false };
  const count = {};

  const provider = new Provider(issuer, {
    clients: [{ ...CLIENT, redirect_uris: [`${issuer}/nowhere`] }],
    jwks: { keys: [keys.key.secret] },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "picture"] },
    features: { devInteractions: { enabled: false }, claimsParameter: { enabled: true } },
    pkce: { required: () => true },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ ...told.people[id], sub: id }) }),
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope("openid email profile");
      await grant.save();
      return grant;
    },
  });
  provider.Client.prototype.redirectUriAllowed = (url) => told.redirects.includes(url);

  async function lied(token) {
    let claims = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
    if (told.inIdToken) claims = { ...told.people[claims.sub], ...claims };
    claims = (CLAIMS[told.lie] ?? ((same) => same))(claims);
    const signature = SIGNATURES[told.lie];
    if (signature) return signature(claims, keys);
    return sign(claims, told.rotated ? keys.next : keys.key);
  }

  /** What is wrong before the provider has a say; true when that was the answer. */
  async function broken(ctx) {
    if (told.fault?.path !== ctx.path) return false;
    switch (told.fault.kind) {
      case "away":
        ctx.respond = false;
        ctx.req.socket.destroy();
        return true;
      case "slow":
        await new Promise((waited) => setTimeout(waited, 30_000).unref());
        return false;
      case "garbage":
        ctx.type = "application/json";
        ctx.body = "{ this is no JSON";
        return true;
      case "page":
        ctx.type = "text/html";
        ctx.body = "<!doctype html><title>Maintenance</title>";
        return true;
      case "large":
        ctx.type = "application/json";
        ctx.body = JSON.stringify({ much: "x".repeat(2_000_000) });
        return true;
      case "error":
        ctx.status = 500;
        ctx.body = "oh";
        return true;
      case "elsewhere":
        ctx.redirect(`${issuer}/test/elsewhere`);
        return true;
      default:
        throw new Error(`no such fault: ${told.fault.kind}`);
    }
  }

  provider.use(async (ctx, next) => {
    count[ctx.path] = (count[ctx.path] ?? 0) + 1;
    if (await broken(ctx)) return;
    await next();
    if (ctx.path === "/token" && ctx.body?.id_token) {
      ctx.body.id_token = await lied(ctx.body.id_token);
      if (told.lie === "no-id-token") delete ctx.body.id_token;
    }
    if (ctx.path === "/me" && told.lie === "other-userinfo") ctx.body = { ...ctx.body, sub: "somebody-else" };
    if (ctx.path === "/jwks" && told.rotated) ctx.body = { keys: [keys.next.public] };
    if (ctx.path === "/.well-known/openid-configuration") {
      if (told.lie === "discovered-issuer") ctx.body = { ...ctx.body, issuer: "https://evil.example" };
      if (told.lie === "plain-http") ctx.body = { ...ctx.body, token_endpoint: "http://evil.example/token" };
      if (told.lie === "iss-not-announced") delete ctx.body.authorization_response_iss_parameter_supported;
    }
    const location = ctx.response.get("location");
    if (told.redirects.some((redirect) => location.startsWith(redirect))) {
      const url = new URL(location);
      if (told.lie === "no-iss" || told.lie === "iss-not-announced") url.searchParams.delete("iss");
      if (told.lie === "other-iss") url.searchParams.set("iss", "https://evil.example");
      if (told.lie === "said-twice") url.searchParams.append("state", "another");
      ctx.set("location", url.href);
    }
  });

  async function text(request) {
    let body = "";
    for await (const piece of request) body += piece;
    return body;
  }

  /** Somebody signs in: by themselves where it is told who, else by a form. */
  async function interaction(request, response) {
    const form = request.method === "POST" ? new URLSearchParams(await text(request)) : null;
    const who = form?.get("who") ?? told.who;
    if (who === null) {
      const people = Object.entries(told.people).map(
        ([id, { name }]) => `<button name="who" value="${id}">Sign in as ${name}</button>`,
      );
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(`<!doctype html><title>The provider</title><h1>The provider</h1><form method="post">${people.join(" ")}</form>`);
      return;
    }
    const result =
      who === "nobody" ? { error: "access_denied", error_description: "they did not want to" } : { login: { accountId: who } };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }

  async function control(request, response, path) {
    const pictures = { png: PNG, svg: Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"), large: Buffer.concat([PNG, Buffer.alloc(1_000_000)]) };
    const [, , what, which] = path.split("/");
    if (what === "set") {
      const change = JSON.parse(await text(request));
      Object.assign(told, change);
      response.end();
    } else if (what === "count") {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(count));
    } else if (what === "picture" && pictures[which]) {
      count[path] = (count[path] ?? 0) + 1;
      response.setHeader("content-type", "text/html");
      response.end(pictures[which]);
    } else if (what === "picture" && which === "moved") {
      response.writeHead(302, { location: `${issuer}/test/picture/png` }).end();
    } else {
      count[path] = (count[path] ?? 0) + 1;
      response.writeHead(404).end();
    }
  }

  const serve = provider.callback();
  server.on("request", (request, response) => {
    const { pathname } = new URL(request.url, issuer);
    const failed = (error) => {
      console.error(error);
      response.writeHead(500).end(String(error));
    };
    if (pathname.startsWith("/test/")) control(request, response, pathname).catch(failed);
    else if (pathname.startsWith("/interaction/")) interaction(request, response).catch(failed);
    else serve(request, response);
  });
  return issuer;
}

for (let n = Number(process.argv[2] ?? 1); n > 0; n -= 1) console.log(await start());
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
