import { createHash, randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { APIRequestContext, Browser, Page } from "@playwright/test";
import { asPage, expect, expectAccessible, MEMBER, overhang, test } from "./support";

test.use({ storageState: { cookies: [], origins: [] } });

/** A program that listens for its answer, as editors do. */
class Program {
  readonly verifier = randomBytes(32).toString("base64url");
  private readonly server: Server = createServer((request, response) => {
    this.answers.push(new URL(request.url ?? "/", "http://127.0.0.1"));
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>Back</title><h1>You may close this</h1>");
  });
  private answers: URL[] = [];

  constructor(
    private readonly http: APIRequestContext,
    private readonly base: string,
    readonly name: string,
  ) {}

  async listen() {
    await new Promise<void>((ready) => this.server.listen(0, "127.0.0.1", ready));
  }

  close() {
    this.server.close();
  }

  private get back() {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/callback`;
  }

  /** Where it leads a member. */
  async address() {
    const made = await this.http.post(`${this.base}/oauth/register`, {
      data: { client_name: this.name, redirect_uris: ["http://127.0.0.1/callback"] },
    });
    const { client_id } = await made.json();
    const query = new URLSearchParams({
      client_id,
      redirect_uri: this.back,
      response_type: "code",
      code_challenge: createHash("sha256").update(this.verifier).digest("base64url"),
      code_challenge_method: "S256",
      state: "31415926535897932384626",
      scope: "read write run",
      resource: `${this.base}/mcp`,
    });
    this.clientId = client_id;
    return `/oauth/authorize?${query}`;
  }

  clientId = "";

  /** The answer that a browser brought. */
  async answer() {
    await expect
      .poll(() => this.answers.find((url) => url.pathname === "/callback") !== undefined)
      .toBe(true);
    return this.answers.find((url) => url.pathname === "/callback")?.searchParams ?? new URLSearchParams();
  }

  async token(code: string) {
    const form = {
      grant_type: "authorization_code",
      client_id: this.clientId,
      code,
      code_verifier: this.verifier,
      redirect_uri: this.back,
    };
    return (await (await this.http.post(`${this.base}/oauth/token`, { form })).json()).access_token as string;
  }

  async tools(token: string) {
    const answer = await this.http.post(`${this.base}/mcp`, {
      headers: { authorization: `Bearer ${token}`, accept: "application/json, text/event-stream" },
      data: { jsonrpc: "2.0", id: 1, method: "tools/list" },
    });
    return answer.status() === 200
      ? ((await answer.json()).result.tools as { name: string }[])
      : answer.status();
  }
}

async function signIn(page: Page) {
  await page.getByLabel("E-mail").fill(MEMBER.email);
  await page.getByLabel("Password").fill(MEMBER.password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

const fresh = async (browser: Browser, baseURL: string | undefined) => {
  const context = await browser.newContext({ storageState: { cookies: [], origins: [] } });
  return { context, program: (name: string) => new Program(context.request, baseURL ?? "", name) };
};

test("a program is connected, sees what it was allowed, and is disconnected", async ({
  page,
  browser,
  baseURL,
}) => {
  const { context, program } = await fresh(browser, baseURL);
  // By a name of its own: a try before this one may have left its connection.
  const name = `A Fine Editor ${Date.now()}`;
  const editor = program(name);
  await editor.listen();
  // Whoever is not signed in comes back to the question.
  await page.goto(await editor.address());
  await expect(page).toHaveURL(/\/login\?next=/);
  await signIn(page);
  await expect(page.getByRole("heading", { name: `Connect “${name}”?` })).toBeVisible();
  await expect(page.getByText(`You are ${MEMBER.name}`)).toBeVisible();
  await expect(page.getByText("127.0.0.1:")).toBeVisible();
  await page.getByRole("checkbox", { name: /^Run/ }).uncheck();
  await page.getByRole("button", { name: "Allow", exact: true }).click();
  await expect(page.getByRole("heading", { name: "You may close this" })).toBeVisible();
  const answer = await editor.answer();
  expect(answer.get("state")).toBe("31415926535897932384626");
  const token = await editor.token(answer.get("code") ?? "");
  const tools = await editor.tools(token);
  const names = Array.isArray(tools) ? tools.map((tool) => tool.name) : [];
  expect(names).toContain("feature_create");
  expect(names).not.toContain("feature_start");

  await page.goto("/settings");
  const section = page.getByRole("region", { name: "Connect your tools" });
  await expect(section.getByLabel("Claude Code", { exact: true })).toHaveValue(
    `claude mcp add --transport http guildhall ${baseURL}/mcp`,
  );
  await expect(section.getByText(name)).toBeVisible();
  await section.getByRole("button", { name: `Disconnect ${name}` }).click();
  await page.getByRole("button", { name: "Disconnect", exact: true }).click();
  await expect(section.getByText(name)).toBeHidden();
  expect(await editor.tools(token)).toBe(401);

  // A no is an answer, too.
  await page.goto(await editor.address());
  await page.getByRole("button", { name: "Do not allow" }).click();
  await expect(page.getByRole("heading", { name: "You may close this" })).toBeVisible();
  editor.close();
  await context.close();
});

test("what nobody registered leads nowhere", async ({ page, baseURL }) => {
  const { name: _, ...account } = MEMBER;
  await asPage(page.request, baseURL).post("/api/auth/login", account);
  await page.goto("/oauth/authorize?client_id=x&redirect_uri=https://evil.example/&response_type=code");
  await expect(page.getByRole("heading", { name: "This cannot be connected" })).toBeVisible();
  await expect(page.getByText("not registered here")).toBeVisible();
  await expect(page).toHaveURL(/\/oauth\/consent\?ask=/);
});

test("a program that asks wrongly hears of it only when the member goes there", async ({
  page,
  browser,
  baseURL,
}) => {
  const { name: _, ...account } = MEMBER;
  await asPage(page.request, baseURL).post("/api/auth/login", account);
  const { context, program } = await fresh(browser, baseURL);
  const editor = program("An Old Editor");
  await editor.listen();
  await page.goto((await editor.address()).replace("response_type=code", "response_type=token"));
  await expect(page.getByRole("heading", { name: "This cannot be connected" })).toBeVisible();
  await expect(page.getByText("response_type must be code")).toBeVisible();
  await expect(page).toHaveURL(/\/oauth\/consent\?ask=/);
  await expect(page.getByText("127.0.0.1:")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Go back and let it know" }).click();
  await expect(page.getByRole("heading", { name: "You may close this" })).toBeVisible();
  expect((await editor.answer()).get("error")).toBe("unsupported_response_type");
  editor.close();
  await context.close();
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme });

    test("consent and settings fit and are accessible", async ({ page, browser, baseURL }) => {
      const { name: _, ...account } = MEMBER;
      await asPage(page.request, baseURL).post("/api/auth/login", account);
      const { context, program } = await fresh(browser, baseURL);
      const editor = program("An editor with quite a long name, from a house that likes names");
      await editor.listen();
      const address = await editor.address();
      for (const width of [390, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        for (const place of [address, "/settings"]) {
          await page.goto(place);
          const there =
            place === address
              ? page.getByRole("button", { name: "Allow", exact: true })
              : page.locator("#connect");
          await there.scrollIntoViewIfNeeded();
          await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
          await expect.poll(() => overhang(page), `${place} at ${width}`).toBeLessThanOrEqual(0);
          await expectAccessible(page);
        }
      }
      editor.close();
      await context.close();
    });
  });
}
