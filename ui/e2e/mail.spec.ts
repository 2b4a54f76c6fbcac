import { readFile } from "node:fs/promises";
import type { Browser, Page } from "@playwright/test";
import { asOwner, asPage, expect, expectAccessible, test } from "./support";

// A server of its own, which sends mail to a mail server that writes down what it is sent.
const baseURL = process.env.GUILDHALL_E2E_MAIL_URL ?? "";
const mails = process.env.GUILDHALL_E2E_MAILS ?? "";
const NOBODY = { cookies: [], origins: [] };
test.use({ baseURL, storageState: NOBODY, contextOptions: { reducedMotion: "reduce" } });

const PASSWORD = "nine patient harbours";
const NEW = "eleven copper meadows";

async function otherBrowser(browser: Browser): Promise<Page> {
  return (await browser.newContext({ baseURL, storageState: NOBODY })).newPage();
}

/** The link below `path` in the latest mail to an address, as the mail server got it. */
async function linkTo(email: string, path: string): Promise<string> {
  let link: string | undefined;
  await expect
    .poll(
      async () => {
        const lines = (await readFile(mails, "utf8")).split("\n").filter((line) => line.includes('"raw"'));
        const raws = lines.map((line) => JSON.parse(line)).filter((mail) => mail.to.includes(email));
        const text: string = raws.at(-1)?.raw.replaceAll("=\r\n", "") ?? "";
        link = new RegExp(`${baseURL}${path}[\\w-]+`).exec(text)?.[0];
        return link;
      },
      { message: `a mail to ${email}`, timeout: 60_000 },
    )
    .toBeTruthy();
  return link ?? "";
}

test("whoever is invited by mail joins, forgets the password, and sets a new one", async ({
  page,
  browser,
}) => {
  const email = `mia-${Date.now()}@example.com`;
  await asOwner(page, baseURL);
  await page.goto("/team");
  await page.getByRole("button", { name: "Invite" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("E-mail").fill(email);
  await expect(dialog.getByRole("switch", { name: "Mail the link" })).toBeChecked();
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Make invitation" }).click();
  await expect(dialog.getByText(`The link is on its way to ${email}`)).toBeVisible();
  const shown = await dialog.getByLabel("Link").inputValue();

  const mia = await otherBrowser(browser);
  const invitation = await linkTo(email, "/join/");
  expect(invitation).toBe(shown);
  await mia.goto(invitation);
  await mia.getByLabel("Your name").fill("Mia");
  await mia.getByLabel("Password").fill(PASSWORD);
  await mia.getByRole("button", { name: "Create account" }).click();
  await expect(mia.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();
  await mia.getByRole("button", { name: "Mia" }).click();
  await mia.getByRole("menuitem", { name: "Sign out" }).click();

  await mia.getByRole("link", { name: "Forgot your password?" }).click();
  await mia.getByLabel("E-mail").fill(email);
  await expectAccessible(mia);
  await mia.keyboard.press("Enter");
  await expect(mia.getByText(`If there is an account with the address ${email}`)).toBeVisible();
  await mia.goto(await linkTo(email, "/reset/"));
  await mia.getByLabel("New password").fill(NEW);
  await mia.getByLabel("Once more").fill(NEW);
  await mia.getByRole("button", { name: "Set password" }).click();
  await mia.getByRole("link", { name: "Sign in" }).click();
  await mia.getByLabel("E-mail").fill(email);
  await mia.getByLabel("Password").fill(NEW);
  await mia.getByRole("button", { name: "Sign in" }).click();
  await expect(mia.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();
  await mia.context().close();
});

test("a stranger proves an address before there is an account", async ({ page, browser }) => {
  const email = `tom-${Date.now()}@example.com`;
  await asOwner(page, baseURL);
  // As it is before anybody has changed it: a try before this one may have.
  const headers = { origin: new URL(baseURL).origin };
  const off = { data: { open: false, domain: null, role: "member" }, headers };
  expect((await page.request.put("/api/settings/sign-up", off)).ok()).toBe(true);
  await page.goto("/team");
  await page.getByRole("radio", { name: "Anyone" }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Sign-up setting saved").first()).toBeVisible();

  const tom = await otherBrowser(browser);
  await tom.setViewportSize({ width: 390, height: 844 });
  await tom.goto("/login");
  await tom.getByRole("link", { name: "Create an account" }).click();
  await tom.getByLabel("Your name").fill("Tom");
  await tom.getByLabel("E-mail").fill(email);
  await tom.getByLabel("Password").fill(PASSWORD);
  await tom.getByRole("button", { name: "Create account" }).click();
  await expect(tom.getByRole("heading", { name: "Look into your mail" })).toBeVisible();
  const link = await linkTo(email, "/welcome/");
  await tom.goto(link);
  await tom.getByLabel("Password").fill("not the chosen one");
  await tom.getByRole("button", { name: "Create account" }).click();
  await expect(tom.getByText("this is not the password that was chosen")).toBeVisible();
  await expectAccessible(tom);
  await tom.getByLabel("Password").fill(PASSWORD);
  await tom.getByRole("button", { name: "Create account" }).click();
  await expect(tom.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();
  await tom.goto(link);
  await tom.getByLabel("Password").fill(PASSWORD);
  await tom.getByRole("button", { name: "Create account" }).click();
  await expect(tom.getByRole("heading", { name: "This link cannot be used" })).toBeVisible();
  await tom.context().close();
});

test("an admin tries mail and sees what could not be sent", async ({ page }) => {
  await asOwner(page, baseURL);
  const http = asPage(page.request, baseURL);
  await http.post("/api/invitations", { email: "never@example.com", role: "member" });
  await page.goto("/team");
  const mail = page.getByRole("region", { name: "Mail" });
  await mail.getByRole("button", { name: "Send me a test mail" }).click();
  await expect(page.getByText("The mail server took the test mail").first()).toBeVisible();
  const troubles = mail.getByRole("list", { name: "Mails that could not be sent" });
  await expect(troubles).toContainText("never@example.com", { timeout: 60_000 });
  await expect(troubles).toContainText("there is no such mailbox");
  await expectAccessible(page);
});
