import { createHmac } from "node:crypto";
import type { Browser, BrowserContext, Page } from "@playwright/test";
import { asOwner, asPage, expect, expectAccessible, MEMBER, overhang, test } from "./support";

// Everyone here signs in by themselves, under the name of this machine: passkeys need one.
test.use({ storageState: { cookies: [], origins: [] }, contextOptions: { reducedMotion: "reduce" } });

const PASSWORD = "nine patient harbours";
let guests = 0;

const named = (baseURL: string | undefined) => (baseURL ?? "").replace("127.0.0.1", "localhost");

/** The code that an authenticator app with this secret shows, so many steps from now. */
function codeOf(secret: string, steps = 0): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac("sha1", key).update(counter).digest();
  const at = (hash.at(-1) ?? 0) & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

async function newBrowser(browser: Browser, baseURL: string | undefined): Promise<Page> {
  const context: BrowserContext = await browser.newContext({
    baseURL: named(baseURL),
    storageState: { cookies: [], origins: [] },
    reducedMotion: "reduce",
  });
  return context.newPage();
}

/** Somebody new, signed in with a browser of their own. */
async function join(browser: Browser, baseURL: string | undefined, role = "member") {
  const owner = await newBrowser(browser, baseURL);
  const http = await asOwner(owner, named(baseURL));
  const who = { name: `Gina ${guests}`, email: `gina-${Date.now()}-${guests++}@example.com` };
  const { code } = await http.post("/api/invitations", { email: who.email, role });
  await owner.context().close();
  const page = await newBrowser(browser, baseURL);
  const own = asPage(page.request, named(baseURL));
  const { id } = await own.post("/api/auth/register", { ...who, password: PASSWORD, invitation: code });
  return { page, http: own, ...who, id: id as string };
}

async function signOut(page: Page) {
  const origin = new URL(page.url()).origin;
  await page.request.post("/api/auth/logout", { headers: { origin } });
  await page.goto("/login");
}

async function givePassword(page: Page, email: string) {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(page.getByRole("heading", { name: "One more step" })).toBeVisible();
}

const signedIn = (page: Page) => expect(page.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();
const section = (page: Page) => page.getByRole("region", { name: "Two-step verification" });

/** A security key in the browser that nobody here wrote: Chromium's own. */
async function authenticator(page: Page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    /** Whether somebody is there to touch it. */
    touched: (enabled: boolean) =>
      cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled }),
    keys: async () =>
      (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials as {
        isResidentCredential: boolean;
        rpId?: string;
      }[],
  };
}

test("an authenticator app is set up, asked for at the sign-in, and taken away", async ({
  browser,
  baseURL,
}) => {
  const { page, email } = await join(browser, baseURL);
  await page.goto("/settings");
  await section(page).getByRole("button", { name: "Set up" }).click();
  const dialog = page.getByRole("dialog", { name: "Set up an authenticator app" });
  await expect(dialog.getByRole("img", { name: "QR code for the authenticator app" })).toBeVisible();
  const secret = await dialog.getByLabel("Key").inputValue();
  await expectAccessible(page);
  await dialog.getByLabel("Code that the app shows").fill("000000");
  await dialog.getByRole("button", { name: "Turn on" }).click();
  await expect(dialog.getByRole("alert")).toContainText("this code is wrong");
  await dialog.getByLabel("Code that the app shows").fill(codeOf(secret));
  await dialog.getByRole("button", { name: "Turn on" }).click();
  const made = page.getByRole("dialog", { name: "Your recovery codes" });
  await expect(made.getByRole("listitem")).toHaveCount(10);
  const codes = await made.getByRole("listitem").allTextContents();
  await expectAccessible(page);
  await made.getByRole("button", { name: "I have kept them" }).click();
  await expect(section(page)).toContainText("10 codes are left.");

  await signOut(page);
  await givePassword(page, email);
  const field = page.getByLabel("Code", { exact: true });
  await expect(field).toBeFocused();
  await expect(field).toHaveAttribute("autocomplete", "one-time-code");
  await expectAccessible(page);
  await field.fill("000000");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("this code is wrong");
  // The step after: that of this moment was used to set it up.
  await field.fill(codeOf(secret, 1));
  await page.keyboard.press("Enter");
  await signedIn(page);

  await signOut(page);
  await givePassword(page, email);
  await page.getByRole("button", { name: "Use a recovery code" }).click();
  await page.getByLabel("Recovery code").fill((codes[0] ?? "").toUpperCase());
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await signedIn(page);
  await page.goto("/settings");
  await expect(section(page)).toContainText("9 codes are left.");
  await section(page).getByRole("button", { name: "Take away" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Take away" }).click();
  await expect(section(page)).toContainText("They come with your first second factor.");
  await page.context().close();
});

test("a passkey is made, signs in alone, is a second step, and confirms", async ({ browser, baseURL }) => {
  const { page, email } = await join(browser, baseURL);
  const key = await authenticator(page);
  await page.goto("/settings");
  await section(page).getByRole("button", { name: "Add a passkey" }).click();
  await page.getByLabel("Name of the passkey").fill("Laptop");
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("button", { name: "I have kept them" }).click();
  await expect(section(page)).toContainText("Laptop");
  expect(await key.keys()).toMatchObject([{ isResidentCredential: true, rpId: "localhost" }]);

  // What the browser asks for by itself stays untouched; when the button is pressed, it needs no name and no password.
  await key.touched(false);
  await signOut(page);
  await expect(page.getByLabel("E-mail")).toHaveAttribute("autocomplete", "username webauthn");
  await expectAccessible(page);
  await key.touched(true);
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await signedIn(page);

  await key.touched(false);
  await signOut(page);
  await givePassword(page, email);
  await expectAccessible(page);
  await key.touched(true);
  await page.getByRole("button", { name: "Use a passkey" }).click();
  await signedIn(page);

  // As after ten minutes: the server wants a proof first.
  let asked = 0;
  await page.route("**/api/auth/recovery-codes", (route) => {
    if (asked++ > 0) return route.fallback();
    return route.fulfill({
      status: 403,
      contentType: "application/problem+json",
      body: JSON.stringify({ status: 403, code: "confirm-needed", detail: "Confirm.", requestId: "r" }),
    });
  });
  await page.goto("/settings");
  await section(page).getByRole("button", { name: "Make new ones" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Make new ones" }).click();
  const identity = page.getByRole("dialog", { name: "Confirm that it is you" });
  await expect(identity.getByLabel("Recovery code")).toBeVisible();
  await identity.getByRole("button", { name: "Use a passkey" }).click();
  await expect(page.getByRole("dialog", { name: "Your recovery codes" })).toBeVisible();
  await page.getByRole("button", { name: "I have kept them" }).click();

  await section(page).getByRole("button", { name: "Rename Laptop" }).click();
  await page.getByLabel("Name of the passkey").fill("Old laptop");
  await page.getByRole("button", { name: "Save" }).click();
  await section(page).getByRole("button", { name: "Delete Old laptop" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(section(page)).not.toContainText("Old laptop");
  await page.context().close();
});

test("a passkey is offered among what the browser fills in", async ({ browser, baseURL }) => {
  const { page } = await join(browser, baseURL);
  await authenticator(page);
  await page.goto("/settings");
  await section(page).getByRole("button", { name: "Add a passkey" }).click();
  await page.getByLabel("Name of the passkey").fill("Laptop");
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("button", { name: "I have kept them" }).click();
  // The virtual authenticator takes the offer by itself.
  await signOut(page);
  await signedIn(page);
  await page.context().close();
});

test("an IP address is told to be none for passkeys", async ({ page, baseURL }) => {
  const http = asPage(page.request, baseURL);
  const { name: _, ...account } = MEMBER;
  await http.post("/api/auth/login", account);
  await page.goto("/settings");
  await expect(section(page)).toContainText("Passkeys need a name in the address");
  await expect(section(page).getByRole("button", { name: "Add a passkey" })).toHaveCount(0);
});

test("an owner asks everyone for a second factor, and an admin takes one away", async ({
  browser,
  baseURL,
}) => {
  const admin = await join(browser, baseURL, "admin");
  const owner = await newBrowser(browser, baseURL);
  await asOwner(owner, named(baseURL));
  const origin = { origin: new URL(owner.url() === "about:blank" ? named(baseURL) : owner.url()).origin };
  const made = [admin];
  try {
    const promoted = await owner.request.patch(`/api/members/${admin.id}`, {
      data: { role: "owner" },
      headers: origin,
    });
    expect(promoted.ok()).toBe(true);
    const { page } = admin;
    await admin.http.post("/api/auth/login", { email: admin.email, password: PASSWORD });
    const { secret } = await admin.http.post("/api/auth/totp");
    await admin.http.post("/api/auth/totp/enable", { code: codeOf(secret) });
    const lost = await join(browser, baseURL);
    made.push(lost);

    await page.goto("/team");
    const everyone = page.getByRole("switch", { name: "Everyone needs a second factor" });
    try {
      await everyone.click();
      await expect(page.getByText("Saved").first()).toBeVisible();
      await lost.page.goto("/team");
      await expect(lost.page.getByRole("heading", { name: "Set up a second factor" })).toBeVisible();
      await expect(lost.page).toHaveURL(/\/second-factor$/);
      await expectAccessible(lost.page);
      await lost.page.goto("/settings");
      await expect(lost.page).toHaveURL(/\/second-factor$/);
      await lost.page.getByRole("button", { name: "Set up" }).click();
      const key = await lost.page.getByLabel("Key").inputValue();
      await lost.page.getByLabel("Code that the app shows").fill(codeOf(key));
      await lost.page.getByRole("button", { name: "Turn on" }).click();
      await lost.page.getByRole("button", { name: "I have kept them" }).click();
      await signedIn(lost.page);
    } finally {
      const off = await page.request.put("/api/settings/second-factor", {
        data: { required: false },
        headers: { origin: new URL(page.url()).origin },
      });
      expect(off.ok()).toBe(true);
    }

    await page.reload();
    const row = page.getByRole("listitem").filter({ hasText: lost.email });
    await expect(row).toContainText("Two-step");
    await expectAccessible(page);
    await page.getByRole("button", { name: `More about ${lost.name}` }).click();
    await page.getByRole("menuitem", { name: "Take away second factors…" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Take away" }).click();
    await expect(row).not.toContainText("Two-step");
    await expect(lost.page).toHaveURL(/\/login/);
  } finally {
    // However it ends: a second owner would stay, and no test of the last one could pass.
    for (const { id } of made) {
      const gone = await owner.request.patch(`/api/members/${id}`, {
        data: { disabled: true },
        headers: origin,
      });
      expect.soft(gone.ok(), await gone.text()).toBe(true);
    }
  }
  for (const one of [...made.map(({ page }) => page), owner]) await one.context().close();
});

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`in ${colorScheme}`, () => {
    test.use({ colorScheme });

    test("the settings of the second factor fit and are accessible", async ({ browser, baseURL }) => {
      const { page, http } = await join(browser, baseURL);
      await page.emulateMedia({ colorScheme });
      await authenticator(page);
      const { secret } = await http.post("/api/auth/totp");
      await http.post("/api/auth/totp/enable", { code: codeOf(secret) });
      await page.goto("/settings");
      await section(page).getByRole("button", { name: "Add a passkey" }).click();
      await page.getByLabel("Name of the passkey").fill("A phone with quite a long name of its own");
      await page.getByRole("button", { name: "Go on" }).click();
      await expect(section(page).getByText("A phone with quite")).toBeVisible();
      for (const width of [390, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        await expect.poll(() => overhang(page), `${width}`).toBeLessThanOrEqual(0);
        await section(page).scrollIntoViewIfNeeded();
        await expectAccessible(page);
      }
      await page.context().close();
    });
  });
}
