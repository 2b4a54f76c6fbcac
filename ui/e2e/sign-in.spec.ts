import type { Page } from "@playwright/test";
import { asOwner, expect, expectAccessible, test } from "./support";

const PROVIDER = process.env.GUILDHALL_E2E_OIDC ?? "";

test.use({ storageState: { cookies: [], origins: [] }, contextOptions: { reducedMotion: "reduce" } });
test.skip(PROVIDER === "", "no OpenID provider is there");

/** Says to the provider whom it knows, and to which server it may lead back. */
async function tell(page: Page, baseURL: string | undefined, people: Record<string, object>) {
  const redirects = [`${new URL(baseURL ?? "").origin}/api/auth/oidc/test/callback`];
  const answer = await page.request.post(`${PROVIDER}/test/set`, { data: { people, redirects, who: null } });
  expect(answer.ok()).toBe(true);
}

/** Signs in at the provider, by its own form. */
async function signInThere(page: Page, name: string) {
  await expect(page).toHaveTitle("The provider");
  await page.getByRole("button", { name: `Sign in as ${name}` }).click();
}

test("whoever is invited joins by a provider, and proves by it who they are", async ({
  page,
  baseURL,
  browser,
}) => {
  const http = await asOwner(page, baseURL);
  // Another person each time: whom the provider names so belongs to the account that a try before this one made.
  const subject = `grace-${Date.now()}`;
  const email = `${subject}@example.com`;
  const grace = {
    email,
    email_verified: true,
    name: "Grace Hopper",
    picture: `${PROVIDER}/test/picture/png`,
  };
  const eve = { email: "eve@example.org", email_verified: true, name: "Eve" };
  await tell(page, baseURL, { [subject]: grace, eve });
  const { url } = await http.post("/api/invitations", { email, role: "member" });

  const context = await browser.newContext({
    ...(baseURL === undefined ? {} : { baseURL }),
    storageState: { cookies: [], origins: [] },
  });
  const guest = await context.newPage();
  await guest.goto("/login");
  await expect(guest.getByRole("link", { name: "Continue with Test ID" })).toBeVisible();
  await expectAccessible(guest);
  await guest.getByRole("link", { name: "Continue with Test ID" }).click();
  await signInThere(guest, "Eve");
  await expect(guest).toHaveURL(/\/login\?problem=no-account$/);
  await expect(guest.getByRole("alert")).toContainText("Ask an admin for an invitation.");
  await expectAccessible(guest);

  // The provider remembers Eve; another person needs another browser there.
  await context.clearCookies();
  await guest.goto(url);
  await guest.getByRole("button", { name: "Continue with Test ID" }).click();
  await signInThere(guest, "Grace Hopper");
  await expect(guest.getByRole("heading", { name: "Inbox", level: 1 })).toBeVisible();

  await guest.goto("/settings");
  const linked = guest.getByRole("region", { name: "Linked accounts" });
  await expect(linked.getByText(email)).toBeVisible();
  await expect(guest.getByRole("region", { name: "Profile" }).locator("img")).toHaveJSProperty(
    "naturalWidth",
    1,
  );
  await expectAccessible(guest);

  // Who has no password confirms in a window of the provider; what was asked for is then done.
  await guest.getByRole("button", { name: "New token" }).click();
  await guest.getByLabel("What it is for").fill("Nightly");
  await guest.getByRole("button", { name: "Make token" }).click();
  const asked = guest.getByRole("dialog", { name: "Confirm that it is you" });
  const opened = context.waitForEvent("page");
  await asked.getByRole("button", { name: "Confirm with Test ID" }).click();
  await signInThere(await opened, "Grace Hopper");
  await expect(guest.getByText("Your new token")).toBeVisible();
  await guest.getByRole("button", { name: "Done" }).click();

  await linked.getByRole("button", { name: "Unlink Test ID" }).click();
  await guest.getByRole("button", { name: "Unlink", exact: true }).click();
  const told = guest.getByRole("region", { name: "Notifications" });
  await expect(told.getByText(/the only way in which you can sign in/)).toBeVisible();
  await guest.getByRole("alertdialog").getByRole("button", { name: "Cancel" }).click();
  const password = guest.getByRole("region", { name: "Password" });
  await password.getByLabel("New password").fill("nine patient harbours");
  await password.getByLabel("Once more").fill("nine patient harbours");
  await password.getByRole("button", { name: "Set password" }).click();
  await expect(password.getByLabel("Password now")).toBeVisible();
  await guest.getByRole("button", { name: "Take it away" }).click();
  await expect(guest.getByRole("region", { name: "Profile" }).locator("img")).toHaveCount(0);
  await context.close();
});
