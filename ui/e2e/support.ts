import { readFile, writeFile } from "node:fs/promises";
import AxeBuilder from "@axe-core/playwright";
import {
  type APIRequestContext,
  type Browser,
  test as base,
  expect,
  type Locator,
  type Page,
} from "@playwright/test";

export const SESSION = `${process.env.GUILDHALL_E2E_RESULTS ?? "test-results"}/.session.json`;
export const MEMBER = { name: "Ada Lovelace", email: "ada@example.com", password: "seven quiet lanterns" };

/** Fails the test when the page logs an error or throws. With the shared session, it proves who it is whenever that is asked. */
export const test = base.extend<{ quiet: undefined }>({
  quiet: [
    async ({ page, storageState }, use) => {
      if (storageState === SESSION) await proves(page);
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => {
        // Refused requests and lost connections are logged by the browser itself; the tests that provoke them look at
        // what the page says.
        const own = /^Failed to load resource|ERR_INTERNET_DISCONNECTED|dynamically imported module/.test(
          message.text(),
        );
        if (message.type() === "error" && !own) complaints.push(message.text());
      });
      await use(undefined);
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});
export { expect };

/** Writes requests as the page does: with its own origin. */
export function asPage(request: APIRequestContext, baseURL: string | undefined) {
  const headers = { origin: new URL(baseURL ?? "").origin };
  return {
    post: async (path: string, data: object = {}) => {
      const answer = await request.post(path, { data, headers });
      expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
      return answer.json();
    },
  };
}

/** Signs the owner in; makes the account where nobody has set up the server yet. */
export async function asOwner(page: Page, baseURL: string | undefined) {
  const { setUp } = await (await page.request.get("/api/auth/status")).json();
  const { name, ...account } = MEMBER;
  const http = asPage(page.request, baseURL);
  await http.post(setUp ? "/api/auth/login" : "/api/auth/register", setUp ? account : { ...account, name });
  return http;
}

/** Another member, in a browser of their own. */
export async function join(
  browser: Browser,
  baseURL: string | undefined,
  owner: ReturnType<typeof asPage>,
  { role = "member", name = "Ben" } = {},
) {
  // Without the session of the tests, which ends where somebody else signs in over it.
  const storageState = { cookies: [], origins: [] };
  const context = await browser.newContext({ storageState, ...(baseURL === undefined ? {} : { baseURL }) });
  const page = await context.newPage();
  const email = `ben-${Date.now()}@example.com`;
  const { code } = await owner.post("/api/invitations", { email, role });
  const http = asPage(page.request, baseURL);
  const account = { email, password: "eleven careful gardeners", name, invitation: code };
  const { id } = await http.post("/api/auth/register", account);
  return { page, http, name, id: id as string, email, password: account.password };
}

/** A project of its own for a test, ready to be worked in. */
export async function makeProject(
  page: Page,
  baseURL: string | undefined,
  kind: "empty" | "sample" = "empty",
) {
  const http = asPage(page.request, baseURL);
  const name = `${kind} ${Date.now()}`;
  const project = await http.post("/api/projects", { name, source: { kind } });
  await expect
    .poll(async () => (await (await page.request.get(`/api/projects/${project.id}`)).json()).status)
    .toBe("ready");
  const write = (title: string, more: object = {}) =>
    http.post(`/api/projects/${project.id}/features`, { title, description: `${title}.`, ...more });
  return { id: project.id as string, name, write };
}

export const column = (page: Page, title: string): Locator => page.getByRole("region", { name: title });
export const cards = (page: Page, title: string): Locator => column(page, title).locator("[data-card]");

/**
 * Proves who one is whenever that is asked: it holds for ten minutes, and all tests share a session. The session has another
 * token from then on, so that the tests that come later must begin with that one.
 */
async function proves(page: Page) {
  const keep = async () => {
    const shared = JSON.parse(await readFile(SESSION, "utf8"));
    await writeFile(SESSION, JSON.stringify({ ...shared, cookies: await page.context().cookies() }));
  };
  let kept: Promise<void> = Promise.resolve();
  // At once: a test that ends in between would leave all others a token that is no more.
  page.on("response", (answer) => {
    if (!answer.ok() || new URL(answer.url()).pathname !== "/api/auth/confirm") return;
    kept = keep();
    // Whether it could be written is asked below.
    kept.catch(() => {});
  });
  const ask = page.getByRole("dialog", { name: "Confirm that it is you" });
  await page.addLocatorHandler(ask, async () => {
    await ask.getByLabel("Password").fill(MEMBER.password);
    await ask.getByRole("button", { name: "Confirm" }).click();
    await expect(ask).toHaveCount(0);
    await kept;
  });
}

/**
 * Ends what moves: between two themes colours are neither's. What moves for ever goes on. It is not waited for, since what
 * stands folded away may move when it is unfolded only.
 */
async function settled(page: Page) {
  await page.evaluate(async () => {
    const frame = () =>
      Promise.race([
        new Promise(requestAnimationFrame),
        new Promise((drawn) => {
          setTimeout(drawn, 1_000);
        }),
      ]);
    const ending = () =>
      document
        .getAnimations()
        .filter(
          (one) =>
            one.playState !== "finished" &&
            one.effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY,
        );
    await frame();
    // The end of one may begin another.
    for (let round = 0; round < 5; round++) {
      const all = ending();
      for (const one of all) one.finish();
      await frame();
      if (all.length === 0) break;
    }
  });
}

/** The list of projects is there: before it is, a key that writes a card has no project to write it in. */
export const listed = (page: Page, name: string) =>
  expect(page.getByRole("navigation", { name: "Main" }).getByRole("link", { name })).toBeVisible();

/** Where something is, once it has been there three times in a row: what is drawn anew moves for a while. */
export async function resting(one: Locator) {
  let last = "null";
  let times = 0;
  await expect
    .poll(async () => {
      const now = JSON.stringify(await one.boundingBox());
      times = now === last && now !== "null" ? times + 1 : 1;
      last = now;
      return times;
    })
    .toBeGreaterThanOrEqual(3);
  return JSON.parse(last) as { x: number; y: number; width: number; height: number };
}

/** By how much what is shown is wider than the screen. */
export const overhang = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

/** No complaint of axe about what is shown. */
export async function expectAccessible(page: Page) {
  await settled(page);
  const { violations } = await new AxeBuilder({ page })
    // All of it in this page: for the last step it would open another one, in front of this, of which nothing is drawn then.
    .setLegacyMode()
    // What is told for a moment may fade at any: half gone it cannot be read.
    .exclude("[data-type=done]")
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
    .analyze();
  const told = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`,
  );
  expect(told).toEqual([]);
}

/** Pictures of what is shown, which is accessible in both themes and fits a narrow screen. */
export async function shots(page: Page, name: string) {
  const picture = (how: string) =>
    page.screenshot({ path: `test-results/${name}${how}.png`, fullPage: true });
  // What is told for a moment fades, and cannot be read while it does.
  await expect(page.locator("h2[data-type=done]")).toHaveCount(0);
  await expectAccessible(page);
  await picture("");
  await page.emulateMedia({ colorScheme: "dark" });
  await expectAccessible(page);
  await picture("-dark");
  await page.setViewportSize({ width: 390, height: 844 });
  const wide = () =>
    page.evaluate(() => {
      // What scrolls is the view, not the document.
      const boxes = [document.documentElement, document.querySelector("#content")];
      return Math.max(...boxes.map((box) => (box ? box.scrollWidth - box.clientWidth : 0)));
    });
  // A plot takes its new width a moment after the screen has it.
  await expect.poll(wide).toBeLessThanOrEqual(0);
  await expectAccessible(page);
  await picture("-narrow");
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize({ width: 1440, height: 900 });
}
