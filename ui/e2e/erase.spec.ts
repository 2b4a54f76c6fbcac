import { asOwner, expect, expectAccessible, MEMBER, test } from "./support";

test.use({ storageState: { cookies: [], origins: [] } });

test("an admin erases a former text and an item for good, and narrows the list to one author", async ({
  page,
  baseURL,
}) => {
  const http = await asOwner(page, baseURL);
  const title = `How to call the bank ${Date.now()}`;
  const made = await http.post("/api/knowledge/entries?anyway=true", {
    title,
    content: "The word is rosebud.",
  });
  await page.goto(`/knowledge/entries/${made.id}`);
  await expect(page.getByText("The word is rosebud.")).toBeVisible();
  await page.keyboard.press("e");
  await expect(page.getByRole("heading", { name: `Edit: ${title}` })).toBeVisible();
  await page.getByLabel("Text", { exact: true }).fill("Ask the treasurer.");
  await page.getByRole("button", { name: "Save" }).click();
  // Until then the text is in the field and in its preview.
  await expect(page.getByRole("heading", { name: title, level: 1, exact: true })).toBeVisible();
  await expect(page.getByText("Ask the treasurer.")).toBeVisible();

  // A former text: who made the version stays, what it said does not.
  await page.keyboard.press("h");
  await expect(page.getByRole("region", { name: /^What changed from version 1/ })).toContainText("rosebud");
  await page.getByRole("button", { name: "Erase version 1 for good" }).click();
  const ask = page.getByRole("alertdialog", { name: "Erase the text of version 1 for good?" });
  await expect(ask).toContainText("Exchange a secret in any case.");
  await expectAccessible(page);
  await ask.getByRole("button", { name: "Erase for good" }).click();
  await expect(page.getByText("One of these two was erased for good")).toBeVisible();
  await expect(page.getByText("rosebud")).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Restore version 1" })).toHaveCount(0);
  await expect(page.getByRole("region", { name: "History" }).getByRole("listitem")).toHaveCount(2);
  await expectAccessible(page);

  // The whole of it.
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Erase for good" }).click();
  await page
    .getByRole("alertdialog", { name: `Erase “${title}” for good?` })
    .getByRole("button", { name: "Erase for good" })
    .click();
  await expect(page.getByRole("heading", { name: "Knowledge", level: 1 })).toBeVisible();
  await page.goto(`/knowledge/entries/${made.id}`);
  await expect(page.getByRole("heading", { name: "There is nothing here" })).toBeVisible();

  // By one member.
  const mine = `Of the treasurer ${Date.now()}`;
  await http.post("/api/knowledge/entries?anyway=true", { title: mine, content: "Quinces." });
  await page.goto("/knowledge");
  await page.getByRole("combobox", { name: "Whose" }).click();
  await page.getByRole("option", { name: MEMBER.name }).click();
  await expect(page).toHaveURL(/author=/);
  await expect(page.getByRole("link", { name: mine })).toBeVisible();
});
