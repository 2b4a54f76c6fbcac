import { asPage, cards, expect, expectAccessible, makeProject, test } from "./support";

test("cards are found by what they say, on the board and from everywhere", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  const word = `hamster${Date.now()}`;
  await project.write("Sign in", { description: `Use a passkey, and no ${word}.` });
  await project.write("Sign out", { description: "Forget all of it." });
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Backlog")).toHaveCount(2);
  await page.keyboard.press("/");
  await page.keyboard.type(word);
  await expect(cards(page, "Backlog")).toHaveCount(1);
  await expect(cards(page, "Backlog")).toContainText("Sign in");
  await expect(cards(page, "Backlog")).toContainText("In the description");
  await expectAccessible(page);
  // What is seen on the card itself is not explained.
  await page.getByRole("searchbox", { name: "Filter the cards" }).fill("sign");
  await expect(cards(page, "Backlog")).toHaveCount(2);
  await expect(page.getByText("In the description")).toHaveCount(0);
  await page.getByRole("searchbox", { name: "Filter the cards" }).fill("nothing of that kind");
  await expect(page.getByRole("heading", { name: "No card matches" })).toBeVisible();

  // No board is open: the server knows.
  await page.goto("/settings");
  await expect(page.getByRole("heading", { name: "Settings", exact: true })).toBeVisible();
  await page.keyboard.press("ControlOrMeta+k");
  await page.getByRole("combobox", { name: "Search or do…" }).fill(word);
  const found = page.getByRole("option", { name: /Sign in/ });
  await expect(found).toHaveCount(1);
  await expect(found).toContainText(`${project.name} #1`);
  await found.click();
  await expect(page).toHaveURL(new RegExp(`/p/${project.id}\\?f=`));
  await expect(page.getByRole("complementary", { name: "Feature" })).toContainText("Sign in");
});

test("systems are found by words and category, and the hub by language and confidence", async ({
  page,
  baseURL,
}) => {
  const http = asPage(page.request, baseURL);
  await page.goto("/systems");
  const list = page.getByRole("region", { name: "Come with Guildhall" }).getByRole("listitem");
  await expect(list).toHaveCount(4);
  await page.getByRole("searchbox", { name: "Search systems" }).fill("research");
  await expect(list).toHaveCount(1);
  await expectAccessible(page);
  await page.getByRole("searchbox", { name: "Search systems" }).fill("no such thing");
  await expect(page.getByRole("heading", { name: "No system matches" })).toBeVisible();
  await page.getByRole("button", { name: "Show all systems" }).click();
  await expect(list).toHaveCount(4);

  const word = `walnut${Date.now()}`;
  for (const [n, language] of ["rust", "sql"].entries())
    await http.post("/api/knowledge/learnings?anyway=true", {
      title: `${word} in ${language}`,
      description: "What it says.",
      content: `Where ${word} stands, in ${language}.`,
      type: "bug-fix",
      confidence: n === 0 ? "high" : "low",
      context: { languages: [language], frameworks: [], filePatterns: [] },
      tags: [],
    });
  await page.goto(`/knowledge?kind=learning&q=${word}`);
  await expect(page.locator("[data-item]")).toHaveCount(2);
  await page.getByLabel("Only what speaks of this language").fill("rust");
  await page.keyboard.press("Enter");
  await expect(page.locator("[data-item]")).toHaveCount(1);
  await expect(page).toHaveURL(/language=rust/);
  await expect(page.locator("[data-item]")).toContainText("rust");
  await page.getByRole("button", { name: "Not only what speaks of rust" }).click();
  await page.getByRole("combobox", { name: "Confidence" }).click();
  await page.getByRole("option", { name: "Confidence: low" }).click();
  await expect(page.locator("[data-item]")).toContainText(["sql"]);
  await expectAccessible(page);
});
