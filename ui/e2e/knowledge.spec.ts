import type { Page } from "@playwright/test";
import { asOwner, expect, expectAccessible, join, MEMBER, makeProject, overhang, test } from "./support";

// Two members in two browsers at once.
test.use({ storageState: { cookies: [], origins: [] } });

const row = (page: Page, title: string) =>
  page.getByRole("list", { name: "What was found" }).getByRole("link", { name: title });

test("what one member writes another sees at once, finds, and changes; nobody loses what they wrote", async ({
  page,
  baseURL,
  browser,
}) => {
  const anna = await asOwner(page, baseURL);
  const ben = await join(browser, baseURL, anna);
  const stamp = Date.now();
  const title = `Ports of the staging hall ${stamp}`;

  // Ben's page is open and touched by nobody while Anna writes.
  await ben.page.goto("/knowledge");
  await expect(ben.page.getByRole("heading", { name: "Knowledge", level: 1 })).toBeVisible();
  await page.goto("/knowledge");
  await page.getByRole("link", { name: "Write", exact: true }).click();
  await page.getByRole("radio", { name: "Entry" }).check();
  await page.getByLabel("Title", { exact: true }).fill(title);
  await page.getByLabel("Text", { exact: true }).fill("# Ports\n\nThe door is 4300.\n\nThe cellar is 5432.");
  await expect(
    page.getByRole("region", { name: "Preview" }).getByRole("heading", { name: "Ports" }),
  ).toBeVisible();
  await page.getByLabel("Tags").fill("network, staging,");
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/knowledge-editor-1440.png", fullPage: true });

  // What was typed survives a reload.
  await expect(page.getByText("Draft kept on this device")).toBeVisible();
  await page.waitForTimeout(400);
  await page.reload();
  await expect(page.getByText("You go on with a draft that you left here.")).toBeVisible();
  await expect(page.getByLabel("Title", { exact: true })).toHaveValue(title);
  await page.getByRole("button", { name: "Create" }).click();
  await expect(page.getByRole("heading", { name: title })).toBeVisible();
  await expect(row(ben.page, title), "without touching anything").toBeVisible();
  const listed = ben.page.getByRole("listitem").filter({ hasText: title });
  await expect(listed, "without the marks of Markdown").toContainText("Ports The door is 4300.");
  await expect(listed).toContainText("Entry · Documentation");
  await expect(listed).toContainText(`by ${MEMBER.name}`);

  // A secret is refused where it was typed.
  await page.keyboard.press("e");
  await expect(page.getByRole("heading", { name: `Edit: ${title}` })).toBeVisible();
  const text = page.getByLabel("Text", { exact: true });
  await text.fill("The key is sk-ant-api03-Qm9iIHdhcyBoZXJlLCBhbmQgc28gd2FzIEFubmE-x7Kp2LrT9vWz");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("alert").first()).toBeVisible();
  await expect(text).toHaveAttribute("aria-invalid", "true");
  await text.fill("# Ports\n\nThe door is 4300.\n\nThe cellar is 5432.");
  await page.getByRole("button", { name: "Cancel" }).click();

  // Ben finds it by a mistyped word, with keys alone.
  await ben.page.keyboard.press("/");
  await ben.page.keyboard.type(`stagng hall ${stamp}`);
  await expect(row(ben.page, title)).toBeVisible();
  await expect(ben.page).toHaveURL(/q=/);
  await ben.page.keyboard.press("ArrowDown");
  await expect(row(ben.page, title)).toBeFocused();
  await ben.page.keyboard.press("Enter");
  await expect(ben.page.getByRole("heading", { name: title })).toBeVisible();
  await expect(ben.page.getByText("Written by")).toBeVisible();
  await expectAccessible(ben.page);

  // Both edit: each is told of the other.
  await ben.page.keyboard.press("e");
  await page.keyboard.press("e");
  await expect(page.getByText(`${ben.name} edits this, too.`, { exact: false })).toBeVisible();
  await expect(ben.page.getByText(`${MEMBER.name} edits this, too.`, { exact: false })).toBeVisible();
  await page.getByLabel("Text", { exact: true }).fill("# Ports\n\nThe door is 4310.\n\nThe cellar is 5432.");
  await ben.page
    .getByLabel("Text", { exact: true })
    .fill("# Ports\n\nThe door is 4320.\n\nThe cellar is 5432.\n\nThe attic is 6379.");
  await page.getByLabel("What you changed, and why").fill("The door moved");
  await page.keyboard.press("ControlOrMeta+Enter");
  await expect(page.getByText("The door is 4310.", { exact: true })).toBeVisible();
  await expect(ben.page.getByText("has changed this since you began", { exact: false })).toBeVisible();
  await ben.page.getByRole("button", { name: "Save" }).click();

  // Whoever saves second sees both, and chooses.
  await expect(ben.page.getByRole("heading", { name: "Somebody saved while you wrote" })).toBeVisible();
  const place = ben.page.getByRole("group", { name: "Place 1 of 1 that both changed" });
  await expect(place).toContainText("The door is 4310.");
  await expect(place).toContainText("The door is 4320.");
  await expectAccessible(ben.page);
  await ben.page.screenshot({ path: "test-results/knowledge-conflict-1440.png", fullPage: true });
  // Nothing is taken that nobody chose.
  const use = ben.page.getByRole("button", { name: "Use this text" });
  await expect(use).toBeDisabled();
  await place.getByRole("radio", { name: "Theirs" }).check();
  await use.click();
  await expect(ben.page.getByLabel("Text", { exact: true })).toHaveValue(
    "# Ports\n\nThe door is 4310.\n\nThe cellar is 5432.\n\nThe attic is 6379.",
  );
  await ben.page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("The attic is 6379."), "Anna's page follows").toBeVisible();

  // The history knows who, and why; a former text comes back.
  await page.keyboard.press("h");
  const history = page.getByRole("region", { name: "History" });
  await expect(history.getByRole("listitem")).toHaveCount(3);
  await expect(history).toContainText("The door moved");
  await expect(page.getByRole("region", { name: "What changed from version 2 to version 3" })).toContainText(
    "The attic is 6379.",
  );
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/knowledge-history-1440.png", fullPage: true });
  await page.getByRole("button", { name: "Restore version 1" }).click();
  await expect(ben.page.getByText("The door is 4300.")).toBeVisible();

  // Deleted, and taken back at once.
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  // It stays as long as the pointer is over it.
  await page.getByText(`${title} was deleted`).hover();
  await expect(ben.page.getByText("This was deleted.", { exact: false })).toBeVisible();
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(ben.page.getByText("This was deleted.", { exact: false })).toHaveCount(0);
  await ben.page.context().close();
});

test("learnings of agents are reviewed by keys alone", async ({ page, baseURL, browser }) => {
  const anna = await asOwner(page, baseURL);
  const ben = await join(browser, baseURL, anna);
  const { token } = await anna.post("/api/auth/tokens", {
    name: `hub ${Date.now()}`,
    scopes: ["read", "knowledge"],
  });
  // A program records them; what agents record arrives the same way.
  const stamp = Date.now();
  const titles = [
    `Lock the rows in one order ${stamp}`,
    `Warm the cache before the gates open ${stamp}`,
    `Never trust the wall clock ${stamp}`,
  ];
  // The queue is that of the whole server, whatever other tests left in it.
  const proposed = async () =>
    (await (await page.request.get("/api/knowledge/learnings?review=proposed&limit=500")).json()).items;
  for (const { id } of await proposed())
    await anna.post(`/api/knowledge/learnings/${id}/reject`, { reason: "Left behind." });
  await ben.page.goto("/knowledge/review");
  await expect(ben.page.getByRole("heading", { name: "Nothing to review" })).toBeVisible();
  for (const [n, title] of titles.entries()) {
    const answer = await browser.newContext().then(async (context) => {
      const made = await context.request.post(`${baseURL}/api/knowledge/learnings?anyway=true`, {
        data: { title, content: `What was learnt, number ${n}: ${"abcdefg".slice(n)}.`, type: "pattern" },
        headers: { authorization: `Bearer ${token}` },
      });
      await context.close();
      return made;
    });
    expect(answer.status(), title).toBe(201);
    // The first comes by itself, and stays while others come.
    await expect(ben.page.getByRole("heading", { name: titles[0] ?? "" })).toBeVisible();
  }
  await page.goto("/knowledge");
  await expect(page.getByRole("heading", { name: "Knowledge", level: 1 })).toBeVisible();
  await expect(page.getByRole("navigation", { name: "Main" }).getByText(/to review/)).toBeAttached();
  await page.keyboard.press("r");
  await expect(page.getByRole("heading", { name: "Review", level: 1 })).toBeVisible();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/knowledge-review-1440.png", fullPage: true });
  const shown = page.getByRole("article").getByRole("heading", { level: 2 });
  const seen: string[] = [];
  const next = async () => {
    await expect(shown).not.toHaveText(seen.at(-1) ?? "");
    seen.push((await shown.textContent()) ?? "");
  };

  await next();
  await page.keyboard.press("v");
  await next();
  // A correction that one is led away from is gone on with.
  await page.keyboard.press("e");
  await page.getByLabel("Title", { exact: true }).fill(`Half a word ${stamp}`);
  await page.getByRole("button", { name: "Next" }).click();
  await expect(shown).not.toHaveText(seen.at(-1) ?? "");
  await page.keyboard.press("k");
  await expect(page.getByText("You began to correct it.")).toBeVisible();
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByLabel("Title", { exact: true })).toHaveValue(`Half a word ${stamp}`);
  await page.getByRole("button", { name: "Discard the draft" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Discard the draft" }).click();
  await expect(page.getByText("You began to correct it.")).toHaveCount(0);
  await page.keyboard.press("x");
  await page.keyboard.type("It does not hold.");
  await page.keyboard.press("ControlOrMeta+Enter");
  await next();
  await page.keyboard.press("e");
  const title = page.getByLabel("Title", { exact: true });
  await expect(title).toBeFocused();
  await title.fill(`Put right ${stamp}`);
  await page.keyboard.press("ControlOrMeta+Enter");
  await expect(page.getByRole("heading", { name: "Nothing to review" })).toBeVisible();
  // What Ben looked at is decided; his keys can no longer meet it.
  await expect(ben.page.getByText("Somebody else decided on it meanwhile.")).toBeVisible();

  await page.goto(`/knowledge?kind=learning&q=${stamp}`);
  await expect(row(page, `Put right ${stamp}`)).toBeVisible();
  await expect(row(page, seen[0] ?? "")).toBeVisible();
  await expect(row(page, seen[1] ?? "")).toHaveCount(0);
  await page.getByRole("combobox", { name: "Review" }).click();
  await page.getByRole("option", { name: "Rejected", exact: true }).click();
  await expect(row(page, seen[1] ?? "")).toBeVisible();
  await row(page, seen[1] ?? "").click();
  await expect(page.getByText("Rejected: It does not hold.")).toBeVisible();
  await ben.page.context().close();
});

test("a viewer reads; the hub fits a narrow screen in the dark", async ({ page, baseURL, browser }) => {
  const anna = await asOwner(page, baseURL);
  const title = `A rather long title of a blueprint that has to be broken somewhere in the middle ${Date.now()}`;
  const made = await anna.post("/api/knowledge/blueprints?anyway=true", {
    name: title,
    content: `Write tests first.\n\n\`\`\`\n${"long ".repeat(60)}\n\`\`\`\n\n${"w".repeat(180)}`,
    status: "active",
    tags: ["tests"],
  });
  const viewer = await join(browser, baseURL, anna, { role: "viewer" });
  await viewer.page.goto("/knowledge?kind=blueprint");
  await expect(row(viewer.page, title)).toBeVisible();
  await expect(viewer.page.getByText("You can read everything here.", { exact: false })).toBeVisible();
  await expect(viewer.page.getByRole("link", { name: "Write" })).toHaveCount(0);
  await viewer.page.goto("/knowledge/new");
  await expect(viewer.page.getByRole("heading", { name: "You may not see this" })).toBeVisible();
  await viewer.page.goto(`/knowledge/blueprints/${made.id}?edit=true`);
  await expect(viewer.page.getByText("Write tests first.")).toBeVisible();
  await expect(viewer.page.getByRole("button", { name: "Edit" })).toHaveCount(0);
  await viewer.page.context().close();

  await page.setViewportSize({ width: 390, height: 844 });
  await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
  for (const [name, address] of [
    ["hub", "/knowledge"],
    ["item", `/knowledge/blueprints/${made.id}`],
    ["edit", `/knowledge/blueprints/${made.id}?edit=true`],
    ["history", `/knowledge/blueprints/${made.id}?tab=history`],
    ["review", "/knowledge/review"],
    ["new", "/knowledge/new?kind=learning"],
  ] as const) {
    await test.step(address, async () => {
      await page.goto(address);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await page.waitForLoadState("networkidle");
      await expect.poll(() => overhang(page)).toBeLessThanOrEqual(0);
      await expectAccessible(page);
      await page.screenshot({ path: `test-results/knowledge-${name}-390-dark.png` });
    });
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  // A long list is read to its end, by scrolling and by keys.
  const many = `Gables${Date.now()}`;
  for (let n = 0; n < 60; n++)
    await anna.post("/api/knowledge/entries?anyway=true", { title: `${many} ${n}`, content: "A gable." });
  await page.goto(`/knowledge?q=${many}`);
  await expect(page.getByRole("status").filter({ hasText: "The first 50 items" })).toBeAttached();
  await page.getByRole("button", { name: "Show more" }).scrollIntoViewIfNeeded();
  await expect(page.getByRole("status").filter({ hasText: /^60 items$/ })).toBeAttached();
  await expect(page.getByRole("button", { name: "Show more" })).toHaveCount(0);
  await page.goto("/knowledge?q=nothingofthekind&tag=none");
  await expect(page.getByRole("heading", { name: "Nothing was found" })).toBeVisible();
  await page.goto("/knowledge/entries/00000000-0000-7000-8000-000000000000");
  await expect(page.getByRole("heading", { name: "There is nothing here" })).toBeVisible();
});

test("a card leads to what its run was given and recorded; each can be judged, and all of it taken back", async ({
  page,
  baseURL,
}) => {
  const anna = await asOwner(page, baseURL);
  const stamp = Date.now();
  const guide = `How bells are rung ${stamp}`;
  const blueprint = await anna.post("/api/knowledge/blueprints?anyway=true", {
    name: guide,
    content: "Twice, and slowly.",
    status: "active",
  });
  // Words that no learning of another try has: much the same is not recorded twice.
  const own = () => Array.from({ length: 12 }, () => Math.random().toString(36).slice(2, 9)).join(" ");
  const learnt = (title: string, content: string) => [
    "learning_record",
    {
      title,
      content: `${content}\n\n${own()}`,
      description: "When bells are rung.",
      type: "pattern",
      confidence: "high",
    },
  ];
  const knot = `Ropes fray at the knot ${stamp}`;
  const oil = `Clappers need no oil ${stamp}`;
  const steps = [
    {
      tools: [
        learnt(knot, "Tie them anew each spring."),
        learnt(oil, "It gathers dust, and the sound is dull."),
      ],
    },
    { say: "They are rung." },
  ];
  const project = await makeProject(page, baseURL);
  const card = await project.write(`Ring the bells ${stamp}`, {
    description: `\`\`\`sim\n${steps.map((step) => JSON.stringify(step)).join("\n")}\n\`\`\``,
    model: "simulated",
  });
  await anna.post(`/api/features/${card.id}/start`);
  await page.goto(`/f/${card.id}?tab=overview`);
  const knowledge = page.getByRole("region", { name: "Knowledge" });
  await expect(knowledge.getByRole("link", { name: oil })).toBeVisible({ timeout: 60_000 });
  await expect(knowledge.getByRole("button", { name: "Roll back all of this run" })).toBeVisible();
  await expectAccessible(page);
  // Both what went in and what came out.
  await knowledge.getByRole("link", { name: guide }).click();
  await expect(page.getByRole("heading", { name: guide, level: 1 })).toBeVisible();
  await page.goBack();
  await knowledge.getByRole("link", { name: knot }).click();
  await expect(page.getByRole("heading", { name: knot, level: 1 })).toBeVisible();

  // It is judged where it stands: verified, rejected although it was, and back again.
  const more = async (name: string) => {
    await page.getByRole("button", { name: "More", exact: true }).click();
    await page.getByRole("menuitem", { name }).click();
  };
  const facts = page.getByRole("region", { name: "About it" });
  await more("Verify");
  await expect(facts.getByText("Verified by")).toBeVisible();
  await more("Reject");
  const why = page.getByRole("dialog", { name: `Reject ${knot}` });
  await expectAccessible(page);
  await why.getByRole("textbox").fill("It was the damp.");
  await page.keyboard.press("ControlOrMeta+Enter");
  await expect(page.getByText("Rejected: It was the damp.")).toBeVisible();
  await expect(facts.getByText("Verified by")).toHaveCount(0);
  await more("Verify");
  await expect(facts.getByText("Verified by")).toBeVisible();

  // Whoever mends a word of it does not take that back.
  await page.keyboard.press("e");
  await expect(page.getByRole("combobox", { name: "How sure is it?" })).toHaveText("Verified");
  await page.getByLabel("Text", { exact: true }).fill("Tie them anew every spring.");
  await page.keyboard.press("ControlOrMeta+Enter");
  await expect(page.getByRole("heading", { name: knot, level: 1, exact: true })).toBeVisible();
  await expect(page.getByText("Tie them anew every spring.")).toBeVisible();
  await expect(facts.getByText("Verified by")).toBeVisible();
  const path = new URL(page.url()).pathname;
  expect(await (await page.request.get(`/api${path}`)).json()).toMatchObject({
    confidence: "verified",
    review: "accepted",
  });

  // All of the run is taken back from its card, also what was decided on.
  await page.goto(`/f/${card.id}?tab=overview`);
  await knowledge.getByRole("button", { name: "Roll back all of this run" }).click();
  const sure = page.getByRole("alertdialog");
  await expectAccessible(page);
  await sure.getByRole("button", { name: "Roll back all of this run" }).click();
  await expect(page.getByText("2 items taken out")).toBeVisible();
  await expect(knowledge.getByText("Deleted")).toHaveCount(2);
  await expect(knowledge.getByRole("button", { name: "Roll back all of this run" })).toHaveCount(0);
  await page.goto(path);
  await expect(page.getByText("This was deleted.", { exact: false })).toBeVisible();
  const headers = { origin: new URL(baseURL ?? "").origin };
  await page.request.delete(`/api/knowledge/blueprints/${blueprint.id}`, { headers });
});
