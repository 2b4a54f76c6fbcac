import type { Browser, Page } from "@playwright/test";
import { asOwner, cards, expect, expectAccessible, MEMBER, makeProject, overhang, test } from "./support";

// Roles and passwords end sessions: these tests sign in by themselves and leave the shared session alone.
test.use({ storageState: { cookies: [], origins: [] }, contextOptions: { reducedMotion: "reduce" } });

const PASSWORD = "nine patient harbours";
let guests = 0;
const guest = (name: string) => ({
  name,
  email: `${name.toLowerCase()}-${Date.now()}-${guests++}@example.com`,
});

/** The browser of somebody else. */
async function otherBrowser(browser: Browser, baseURL: string | undefined): Promise<Page> {
  const context = await browser.newContext({
    ...(baseURL === undefined ? {} : { baseURL }),
    storageState: { cookies: [], origins: [] },
  });
  return context.newPage();
}

/** Invites somebody in the page, and returns the link. */
async function invite(page: Page, email: string, role: string): Promise<string> {
  await page.goto("/team");
  await page.getByRole("button", { name: "Invite" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("E-mail").fill(email);
  await dialog.getByRole("radio", { name: role }).check();
  await dialog.getByRole("button", { name: "Make invitation" }).click();
  const link = await dialog.getByLabel("Link", { exact: true }).inputValue();
  await dialog.getByRole("button", { name: "Done" }).click();
  return link;
}

async function joinWith(page: Page, link: string, name: string) {
  await page.goto(link);
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();
}

async function memberDeed(page: Page, name: string, deed: string) {
  await page.getByRole("button", { name: `More about ${name}` }).click();
  await page.getByRole("menuitem", { name: deed }).click();
}

test("whoever is invited joins, looks, and is shut out again", async ({ page, baseURL, browser }) => {
  await asOwner(page, baseURL);
  const project = await makeProject(page, baseURL);
  const card = await project.write("For all to see");
  const who = guest(`Vera${Date.now()}`);
  const link = await invite(page, who.email, "Viewer");
  await expect(page.getByRole("button", { name: `Revoke the invitation of ${who.email}` })).toBeVisible();

  const other = await otherBrowser(browser, baseURL);
  await other.goto(link);
  await expect(other.getByText("You are invited as a viewer.")).toBeVisible();
  await expect(other.getByLabel("E-mail")).toHaveValue(who.email);
  await joinWith(other, link, who.name);
  await other.goto(`/p/${project.id}`);
  await expect(cards(other, "Backlog")).toContainText(["For all to see"]);
  await other.goto(`/f/${card.id}`);
  await expect(other.getByRole("heading", { name: "For all to see" })).toBeVisible();
  await expect(other.getByRole("button", { name: "Start", exact: true })).toHaveCount(0);
  const refused = await other.request.post(`/api/features/${card.id}/start`, {
    headers: { origin: new URL(baseURL ?? "").origin },
  });
  expect(refused.status()).toBe(403);
  // The list is for all, what changes it is not.
  await other.goto("/team");
  await expect(other.getByRole("list", { name: "Members" })).toContainText(MEMBER.email);
  await expect(other.getByRole("button", { name: "Invite" })).toHaveCount(0);
  await expect(other.getByRole("button", { name: /More about/ })).toHaveCount(0);
  await other.goto("/audit");
  await expect(other.getByText("Only admins and owners can look at the audit.")).toBeVisible();

  // The link is used up.
  const third = await otherBrowser(browser, baseURL);
  await third.goto(link);
  await expect(third.getByRole("heading", { name: "This invitation cannot be used" })).toBeVisible();
  await third.context().close();

  await page.reload();
  await expect(page.getByRole("button", { name: `Revoke the invitation of ${who.email}` })).toHaveCount(0);
  await memberDeed(page, who.name, "Disable…");
  await page.getByRole("alertdialog").getByRole("button", { name: "Disable" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: who.email })).toContainText("Disabled");
  // The open page is told at once.
  await expect(other).toHaveURL(/\/login/);
  await other.context().close();
});

test("an invitation that was taken back no longer works", async ({ page, baseURL, browser }) => {
  await asOwner(page, baseURL);
  const who = guest("Rita");
  const link = await invite(page, who.email, "Member");
  await page.getByRole("button", { name: `Revoke the invitation of ${who.email}` }).click();
  await expect(page.getByText(`The link for ${who.email} no longer works`).first()).toBeVisible();
  const other = await otherBrowser(browser, baseURL);
  await other.goto(link);
  await expect(other.getByRole("heading", { name: "This invitation cannot be used" })).toBeVisible();
  await other.context().close();
});

test("a member gets another role, and a new password by a link", async ({ page, baseURL, browser }) => {
  await asOwner(page, baseURL);
  const who = guest(`Rolf${Date.now()}`);
  const other = await otherBrowser(browser, baseURL);
  await joinWith(other, await invite(page, who.email, "Member"), who.name);
  await page.reload();

  await memberDeed(page, who.name, "Change role…");
  await page.getByRole("radio", { name: "Admin" }).check();
  await page.getByRole("button", { name: "Change role" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: who.email })).toContainText("Admin");
  await expect(other).toHaveURL(/\/login/);

  await memberDeed(page, who.name, "New password by link…");
  await page.getByRole("button", { name: "Make link" }).click();
  const link = await page.getByLabel("Link", { exact: true }).inputValue();
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  await other.goto(link);
  await other.getByLabel("New password").fill("eleven brave windmills");
  await other.getByLabel("Once more").fill("eleven brave windmill");
  await other.getByRole("button", { name: "Set password" }).click();
  await expect(other.getByText("The two are not the same.")).toBeVisible();
  await other.getByLabel("Once more").fill("eleven brave windmills");
  await other.getByRole("button", { name: "Set password" }).click();
  await other.getByRole("link", { name: "Sign in" }).click();
  await other.getByLabel("E-mail").fill(who.email);
  await other.getByLabel("Password").fill("eleven brave windmills");
  await other.getByRole("button", { name: "Sign in" }).click();
  await expect(other.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();
  // An admin runs the team, but not its owner.
  await other.goto("/team");
  await other.getByRole("button", { name: `More about ${MEMBER.name}` }).click();
  await expect(other.getByText("Only an owner may change an owner.")).toBeVisible();
  await other.goto(link);
  await other.getByLabel("New password").fill("twelve brave windmills");
  await other.getByLabel("Once more").fill("twelve brave windmills");
  await other.getByRole("button", { name: "Set password" }).click();
  await expect(other.getByRole("heading", { name: "This link cannot be used" })).toBeVisible();
  await other.context().close();
  await page.reload();
  await memberDeed(page, who.name, "Disable…");
  await page.getByRole("alertdialog").getByRole("button", { name: "Disable" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: who.email })).toContainText("Disabled");

  // The last owner stays, and is told why.
  await memberDeed(page, MEMBER.name, "Change role…");
  await expect(page.getByRole("radio", { name: "Viewer" })).toBeDisabled();
  await expect(page.getByText("The last owner stays.").first()).toBeVisible();
});

test("ownership is handed over, with a warning", async ({ page, baseURL, browser }) => {
  await asOwner(page, baseURL);
  const [former, next] = [guest(`Olga${Date.now()}`), guest(`Nils${Date.now()}`)];
  const one = await otherBrowser(browser, baseURL);
  const two = await otherBrowser(browser, baseURL);
  await joinWith(one, await invite(page, former.email, "Member"), former.name);
  await joinWith(two, await invite(page, next.email, "Member"), next.name);
  await page.reload();
  await memberDeed(page, former.name, "Change role…");
  await page.getByRole("radio", { name: "Owner" }).check();
  await page.getByRole("button", { name: "Change role" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: former.email })).toContainText("Owner");

  await expect(one).toHaveURL(/\/login/);
  const origin = { origin: new URL(baseURL ?? "").origin };
  const account = { email: former.email, password: PASSWORD };
  expect((await one.request.post("/api/auth/login", { data: account, headers: origin })).ok()).toBe(true);
  await one.goto("/team");
  await memberDeed(one, next.name, "Hand over ownership…");
  const warning = one.getByRole("alertdialog");
  await expect(warning).toContainText("you cannot take this back");
  await warning.getByRole("button", { name: "Hand over" }).click();
  await expect(one).toHaveURL(/\/login/);
  await expect(two).toHaveURL(/\/login/);
  await page.reload();
  const row = (email: string) => page.getByRole("listitem").filter({ hasText: email });
  await expect(row(former.email)).toContainText("Admin");
  await expect(row(next.email)).toContainText("Owner");
  for (const who of [former, next]) {
    await memberDeed(page, who.name, "Disable…");
    await page.getByRole("alertdialog").getByRole("button", { name: "Disable" }).click();
    await expect(row(who.email)).toContainText("Disabled");
  }
  await one.context().close();
  await two.context().close();
});

test("a token is made after a confirmation, used, and revoked", async ({ page, baseURL }) => {
  await asOwner(page, baseURL);
  // As after ten minutes: the server wants the password first.
  let asked = 0;
  await page.route("**/api/auth/tokens", (route) => {
    if (route.request().method() !== "POST" || asked++ > 0) return route.fallback();
    return route.fulfill({
      status: 403,
      contentType: "application/problem+json",
      body: JSON.stringify({ status: 403, code: "confirm-needed", detail: "Confirm.", requestId: "r" }),
    });
  });
  const name = `Script ${Date.now()}`;
  await page.goto("/settings");
  await page.getByRole("button", { name: "New token" }).click();
  await page.getByLabel("What it is for").fill(name);
  await expect(page.getByRole("checkbox", { name: "Read" })).toBeChecked();
  await page.getByRole("button", { name: "Make token" }).click();

  const identity = page.getByRole("dialog", { name: "Confirm that it is you" });
  await expect(identity.getByLabel("Password")).toBeFocused();
  await expectAccessible(page);
  // Escape closes this window alone.
  await page.keyboard.press("Escape");
  await expect(identity).toHaveCount(0);
  await expect(page.getByLabel("What it is for")).toHaveValue(name);
  await expect(page.getByText("Nothing was changed: it was not confirmed.")).toBeVisible();
  asked = 0;
  await page.getByRole("button", { name: "Make token" }).click();
  await identity.getByLabel("Password").fill("not the password");
  await page.keyboard.press("Enter");
  await expect(identity.getByRole("alert")).toBeVisible();
  await identity.getByLabel("Password").fill(MEMBER.password);
  await page.keyboard.press("Enter");
  await expect(identity).toHaveCount(0);
  const token = await page.getByLabel("Token", { exact: true }).inputValue();
  expect(token).toMatch(/^guild_/);
  await page.getByRole("button", { name: "Done" }).click();

  const read = () =>
    fetch(new URL("/api/projects", baseURL), { headers: { authorization: `Bearer ${token}` } });
  expect((await read()).status).toBe(200);
  const write = await fetch(new URL("/api/projects", baseURL), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "No", source: { kind: "empty" } }),
  });
  expect(write.status).toBe(403);
  await page.reload();
  const tokens = page.getByRole("region", { name: "Access tokens" });
  await expect(tokens.getByText(name)).toBeVisible();
  expect(await page.content()).not.toContain(token);
  await tokens.getByRole("button", { name: `Revoke ${name}` }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revoke" }).click();
  // Behind a question nothing is found by its role, so it is waited for first.
  await expect(page.getByRole("alertdialog")).toHaveCount(0);
  await expect(tokens.getByText(name)).toHaveCount(0);
  expect((await read()).status).toBe(401);
});

test("sign-up is opened for one domain, used, and closed", async ({ page, baseURL, browser }) => {
  await asOwner(page, baseURL);
  const choose = async (way: string) => {
    const form = page.getByRole("region", { name: "Sign-up without an invitation" });
    await form.getByRole("radio", { name: way }).check();
    if (way === "One domain") await form.getByLabel("Domain").last().fill("guild.example");
    await form.getByRole("button", { name: "Save" }).click();
    await expect(form.getByRole("button", { name: "Save" })).toBeDisabled();
  };
  // As it is before anybody has changed it: a try before this one may have.
  const headers = { origin: new URL(baseURL ?? "").origin };
  const off = { data: { open: false, domain: null, role: "member" }, headers };
  expect((await page.request.put("/api/settings/sign-up", off)).ok()).toBe(true);
  await page.goto("/team");
  await choose("One domain");
  const other = await otherBrowser(browser, baseURL);
  await other.goto("/login");
  await other.getByRole("link", { name: "Create an account" }).click();
  await other.getByLabel("Your name").fill("Sam Newcomer");
  await other.getByLabel("E-mail").fill(`sam-${Date.now()}@elsewhere.example`);
  await other.getByLabel("Password").fill(PASSWORD);
  await other.getByRole("button", { name: "Create account" }).click();
  await expect(other.getByRole("alert")).toContainText("domain");
  await other.getByLabel("E-mail").fill(`sam-${Date.now()}@guild.example`);
  await other.getByRole("button", { name: "Create account" }).click();
  await expect(other.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();
  await other.context().close();
  await choose("Off");
  const third = await otherBrowser(browser, baseURL);
  await third.goto("/login");
  await expect(third.getByRole("button", { name: "Sign in" })).toBeVisible();
  await expect(third.getByRole("link", { name: "Create an account" })).toHaveCount(0);
  await third.goto("/join");
  await expect(third.getByRole("heading", { name: "Sign-up is closed" })).toBeVisible();
  await third.context().close();
});

test("admins see which key seals secrets, and when it is missing", async ({ page, baseURL }) => {
  await asOwner(page, baseURL);
  await page.goto("/team");
  const keys = page.getByRole("region", { name: "Keys that seal secrets" });
  await expect(keys.getByRole("listitem")).toHaveCount(1);
  await expect(keys.getByText("Current", { exact: true })).toBeVisible();
  await expectAccessible(page);
  const key = { id: "0123456789ab", secrets: 2, madeAt: null, currentAt: null, retiredAt: null };
  const items = [
    { ...key, current: false, here: true },
    { ...key, id: "ba9876543210", current: true, here: false, currentAt: "2026-11-01T00:00:00Z" },
  ];
  await page.route("**/api/settings/keys", (route) => route.fulfill({ json: { items } }));
  for (const width of [390, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    await page.reload();
    await expect(keys.getByText("Being replaced")).toBeVisible();
    await expect(keys.getByRole("alert")).toContainText("guildhall doctor");
    await expectAccessible(page);
  }
});

test("a password is changed, and moments are shown in the member's own zone", async ({
  page,
  baseURL,
  browser,
}) => {
  await asOwner(page, baseURL);
  const who = guest(`Petra${Date.now()}`);
  const other = await otherBrowser(browser, baseURL);
  await joinWith(other, await invite(page, who.email, "Member"), who.name);
  await other.goto("/settings");
  const password = other.getByRole("region", { name: "Password" });
  await password.getByLabel("Password now").fill("not the password");
  await password.getByLabel("New password").fill("thirteen slow rivers");
  await password.getByLabel("Once more").fill("thirteen slow rivers");
  await password.getByRole("button", { name: "Change password" }).click();
  await expect(password.getByRole("alert")).toBeVisible();
  await password.getByLabel("Password now").fill(PASSWORD);
  await password.getByRole("button", { name: "Change password" }).click();
  await expect(password.getByLabel("Password now")).toHaveValue("");

  const profile = other.getByRole("region", { name: "Profile" });
  await profile.getByLabel("Time zone").fill("Pacific/Kiritimati");
  const saved = other.waitForResponse((answer) => answer.request().method() === "PATCH" && answer.ok());
  await profile.getByRole("button", { name: "Save" }).last().click();
  await saved;
  await other.goto("/team");
  const time = other.getByRole("listitem").filter({ hasText: who.email }).locator("time");
  const at = new Date((await time.getAttribute("datetime")) ?? "");
  const day = at.toLocaleDateString("en-US", { dateStyle: "full", timeZone: "Pacific/Kiritimati" });
  await expect(time).toHaveAttribute("title", new RegExp(day));
  const hour = at.toLocaleTimeString("en-US", { timeStyle: "medium", timeZone: "Pacific/Kiritimati" });
  expect(await time.getAttribute("title")).toContain(hour.slice(0, 5));
  await other.context().close();
});

test("the audit tells who did what, and is exported", async ({ page, baseURL }) => {
  await asOwner(page, baseURL);
  const project = await makeProject(page, baseURL);
  await page.goto("/audit");
  const list = page.getByRole("list", { name: "Audit" });
  await expect(list.getByRole("listitem").first()).toContainText("Added a project");
  await expect(list.getByRole("listitem").first()).toContainText(project.name);
  await list.getByRole("listitem").first().locator("summary").click();
  await expect(list.getByText("Hash").first()).toBeVisible();
  await page.getByLabel("What", { exact: true }).click();
  await page.getByRole("option", { name: "Signed in" }).click();
  await expect(page).toHaveURL(/action=member\.sign-in/);
  await expect(list.getByText("Added a project")).toHaveCount(0);
  await expect(list.getByText(/^Signed in/).first()).toBeVisible();
  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: "Export as JSON lines" }).click();
  const file = await (await downloading).createReadStream();
  let text = "";
  for await (const piece of file) text += piece;
  const actions = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).action);
  expect(new Set(actions)).toEqual(new Set(["member.sign-in"]));
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme });

    test("members, invitations and the audit are accessible, wide and narrow", async ({ page, baseURL }) => {
      await asOwner(page, baseURL);
      for (const [address, heading] of [
        ["/team", "Team"],
        ["/audit", "Audit"],
        ["/settings", "Settings"],
        ["/join/nothing", "This invitation cannot be used"],
        ["/reset/nothing", "Set a new password"],
      ] as const) {
        for (const width of [390, 2560]) {
          await page.setViewportSize({ width, height: 900 });
          await page.goto(address);
          await expect(page.getByRole("heading", { name: heading, level: 1 })).toBeVisible();
          await page.waitForLoadState("networkidle");
          await expect.poll(() => overhang(page), `${address} at ${width}`).toBeLessThanOrEqual(0);
          await expectAccessible(page);
        }
      }
      await page.goto("/team");
      await page.getByRole("button", { name: "Invite" }).click();
      await expect(page.getByRole("dialog", { name: "Invite somebody" })).toBeVisible();
      await expectAccessible(page);
      await page.keyboard.press("Escape");
      await memberDeed(page, MEMBER.name, "Change role…");
      await expect(page.getByRole("radio", { name: "Owner" })).toBeVisible();
      await expectAccessible(page);
      await page.goto("/settings");
      await page.getByRole("button", { name: "New token" }).click();
      await expect(page.getByLabel("What it is for")).toBeVisible();
      await expectAccessible(page);
    });
  });
}
