import type { Page } from "@playwright/test";
import { asPage, expect, expectAccessible, makeProject, overhang, test } from "./support";

/** Where the simulated provider is; it speaks every dialect. */
const SIM = process.env.GUILDHALL_SIMULATED_PROVIDER_URL ?? "http://127.0.0.1:4301";

const key = (page: Page, section: string, provider: string) =>
  page.getByRole("region", { name: section }).getByRole("group", { name: provider, exact: true });

async function remove(page: Page, section: string, provider: string) {
  await key(page, section, provider)
    .getByRole("button", { name: /^Delete/ })
    .click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("alertdialog")).toHaveCount(0);
}

/** Takes away what a try before this one may have left. */
async function without(page: Page, section: string, provider: string) {
  const card = key(page, section, provider);
  await expect(card.getByRole("button", { name: /^(Add|Replace)/ })).toBeVisible();
  if ((await card.getByRole("button", { name: /^Delete/ }).count()) === 0) return;
  await remove(page, section, provider);
  await expect(card.getByRole("button", { name: /^Add/ })).toBeVisible();
}

test("a key is put in place, shown masked, tested, replaced and deleted", async ({ page }) => {
  await page.goto("/settings");
  const openai = key(page, "My API keys", "OpenAI");
  await without(page, "My API keys", "OpenAI");
  await openai.getByRole("button", { name: "Add a key for OpenAI" }).click();
  await openai.getByLabel("Key").fill("sk-not-a-real-key-1234");
  await openai.getByRole("button", { name: "The provider is at another address" }).click();
  await openai.getByLabel("Base URL").fill(SIM);
  await openai.getByRole("button", { name: "Save key" }).click();
  await expect(openai.getByText("•••• 1234")).toBeVisible();
  expect(await page.content()).not.toContain("not-a-real-key");
  await openai.getByRole("button", { name: /^Test/ }).click();
  await expect(openai.getByText("The provider knows this key.")).toBeVisible();

  await openai.getByRole("button", { name: /^Replace/ }).click();
  await openai.getByLabel("Key").fill("sk-bad-0123456789");
  await openai.getByRole("button", { name: "Save key" }).click();
  await expect(openai.getByText("•••• 6789")).toBeVisible();
  await openai.getByRole("button", { name: /^Test/ }).click();
  await expect(openai.getByText(/401.*Put/s)).toBeVisible();

  // What a cloud tells of its machines is never called.
  await openai.getByRole("button", { name: /^Replace/ }).click();
  await openai.getByLabel("Key").fill("sk-not-a-real-key-1234");
  await openai.getByLabel("Base URL").fill("http://169.254.169.254/");
  await openai.getByRole("button", { name: "Save key" }).click();
  await expect(openai.getByRole("alert")).toContainText("169.254.169.254");
  await openai.getByRole("button", { name: "Cancel" }).click();
  await remove(page, "My API keys", "OpenAI");
  await expect(openai.getByText("No key.")).toBeVisible();
});

test("a subscription's token is kept and says what it is not for", async ({ page }) => {
  await page.goto("/settings");
  const kept = key(page, "My API keys", "Claude subscription");
  await without(page, "My API keys", "Claude subscription");
  await kept.getByRole("button", { name: /^Add/ }).click();
  await kept.getByLabel("Token").fill("sk-ant-oat-not-a-real-token-4321");
  await kept.getByRole("button", { name: "Save key" }).click();
  await expect(kept.getByText("•••• 4321")).toBeVisible();
  await expect(kept.getByText("it cannot be tested")).toBeVisible();
  await expect(kept.getByRole("button", { name: /^Test/ })).toHaveCount(0);
  await remove(page, "My API keys", "Claude subscription");
});

test("a server of one's own lists its models, and a card is built with one of them", async ({
  page,
  baseURL,
}) => {
  await page.goto("/settings");
  const server = key(page, "My API keys", "OpenAI-compatible server");
  await without(page, "My API keys", "OpenAI-compatible server");
  await server.getByRole("button", { name: /^Add/ }).click();
  await server.getByLabel("Base URL").fill(`${SIM}/v1`);
  await server.getByLabel("Key").fill("sk-of-the-house-5678");
  await server.getByRole("button", { name: "Save key" }).click();
  await server.getByText("2 models").click();
  await expect(server.getByText("simulated-large")).toBeVisible();

  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}/settings`);
  const select = page.getByRole("combobox", { name: /model/i });
  await select.click();
  await expect(page.getByRole("group", { name: "OpenAI-compatible server" })).toBeVisible();
  const unusable = page.getByRole("option", { name: /GPT-6.2 Sol/ });
  await expect(unusable).toContainText("Put your key for OpenAI in place");
  await expect(unusable).toHaveAttribute("aria-disabled", "true");
  await page.getByRole("option", { name: /simulated-large/ }).click();
  await expect(select).toContainText("simulated-large");
  // A name can be typed as well.
  await select.click();
  await page.getByRole("option", { name: "Another model…" }).click();
  await page
    .getByRole("dialog", { name: "Another model" })
    .getByLabel("Name")
    .fill("compatible/any-other:7b");
  await page.getByRole("button", { name: "Use this model" }).click();
  await expect(select).toContainText("compatible/any-other:7b");

  const card = await project.write("Built by the house", { model: "compatible/simulated-large" });
  await asPage(page.request, baseURL).post(`/api/features/${card.id}/start`);
  await expect
    .poll(async () => (await (await page.request.get(`/api/features/${card.id}`)).json()).status, {
      timeout: 60_000,
    })
    .toBe("waiting_approval");
  await page.goto(`/f/${card.id}?tab=overview`);
  await expect(page.getByText("the member's key for the OpenAI-compatible server •••• 5678")).toBeVisible();
  await page.goto("/settings");
  await remove(page, "My API keys", "OpenAI-compatible server");
});

test("an admin gives the team a key, and every member sees that it is used", async ({ page }) => {
  await page.goto("/settings");
  const given = key(page, "Team keys", "Google");
  await without(page, "Team keys", "Google");
  await given.getByRole("button", { name: /^Add/ }).click();
  await given.getByLabel("Key").fill("AIza-not-a-real-key-8765");
  await given.getByRole("button", { name: "The provider is at another address" }).click();
  await given.getByLabel("Base URL").fill(`${SIM}/v1beta/openai`);
  await given.getByRole("button", { name: "Save key" }).click();
  await expect(given.getByText("•••• 8765")).toBeVisible();
  await given.getByRole("button", { name: /^Test/ }).click();
  await expect(given.getByText("The provider knows this key.")).toBeVisible();
  await expect(
    key(page, "My API keys", "Google").getByText("Your runs use the team's key.").first(),
  ).toBeVisible();
  for (const [width, scheme] of [
    [1440, "light"],
    [390, "dark"],
  ] as const) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: scheme });
    await expectAccessible(page);
    await expect.poll(() => overhang(page)).toBeLessThanOrEqual(0);
    await page.getByRole("region", { name: "My API keys" }).scrollIntoViewIfNeeded();
    await page.screenshot({ path: `test-results/keys-${width}-${scheme}.png` });
  }
  await remove(page, "Team keys", "Google");
});
