import {
  asPage,
  cards,
  column,
  expect,
  expectAccessible,
  join,
  listed,
  makeProject,
  resting,
  test,
} from "./support";

/** What the agent of a card waits for is longer than any test takes. */
const silent = 'Wait.\n\n```sim\n{"silence_ms": 600000, "say": "Done."}\n```';

test("eight cards in a row without the mouse", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}`);
  await expect(page.getByRole("heading", { name: "This board is empty" })).toBeVisible();
  await listed(page, project.name);
  const editor = page.getByRole("dialog", { name: "New card" });
  for (let n = 1; n <= 8; n += 1) {
    await page.keyboard.press("c");
    await expect(editor).toBeVisible();
    await page.keyboard.type(`Card number ${n}`);
    await page.keyboard.press("Enter");
    await page.keyboard.type("It works when **one** sees it.");
    await page.keyboard.press("ControlOrMeta+Enter");
    await expect(editor).toHaveCount(0);
  }
  await expect(cards(page, "Backlog")).toHaveCount(8);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await expect(page.getByRole("link", { name: "Card number 2" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("complementary", { name: "Feature" })).toContainText("Card number 2");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("complementary", { name: "Feature" })).toHaveCount(0);
});

test("a draft survives a reload, and an edit is noticed by everyone", async ({ page, baseURL, context }) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}`);
  await page.getByRole("button", { name: "Write the first card" }).click();
  await page.getByLabel("Title").fill("Half a thought");
  await page.getByRole("textbox", { name: "Description" }).fill("It has not been said yet");
  await expect(page.getByText("Draft kept on this device")).toBeVisible();
  await expect
    .poll(() =>
      page.evaluate(
        (id) => Object.entries(localStorage).find(([key]) => key.endsWith(`.card.${id}`))?.[1],
        project.id,
      ),
    )
    .toContain("not been said");
  await page.reload();
  await page.getByRole("button", { name: "Write the first card" }).click();
  await expect(page.getByLabel("Title")).toHaveValue("Half a thought");
  await page.getByRole("button", { name: "Create", exact: false }).last().click();
  await expect(cards(page, "Backlog")).toHaveCount(1);

  const other = await context.newPage();
  await other.goto(`/p/${project.id}`);
  await expect(cards(other, "Backlog")).toContainText(["Half a thought"]);
  await page.getByRole("link", { name: "Half a thought" }).focus();
  await page.keyboard.press("e");
  await page.getByLabel("Title").fill("A whole thought");
  await page.keyboard.press("ControlOrMeta+Enter");
  await expect(cards(other, "Backlog")).toContainText(["A whole thought"]);
  await other.close();

  // What was left behind does not undo what others changed meanwhile.
  await page.getByRole("link", { name: "A whole thought" }).focus();
  await page.keyboard.press("e");
  await page.getByLabel("Title").fill("A thought of mine");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  const [card] = (await (await page.request.get(`/api/projects/${project.id}/features`)).json()).items;
  const headers = { origin: new URL(baseURL ?? "").origin };
  const theirs = { description: "Somebody else said it." };
  const changed = await page.request.patch(`/api/features/${card.id}`, { data: theirs, headers });
  expect(changed.ok(), await changed.text()).toBe(true);
  await page.getByRole("link", { name: "A whole thought" }).focus();
  await page.keyboard.press("e");
  await expect(page.getByText("You go on with a draft that you left here.")).toBeVisible();
  await expect(page.getByLabel("Title")).toHaveValue("A thought of mine");
  await expect(page.getByRole("textbox", { name: "Description" })).toHaveValue("Somebody else said it.");
  await expectAccessible(page);
  await page.keyboard.press("ControlOrMeta+Enter");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(cards(page, "Backlog")).toContainText(["A thought of mine"]);
  const saved = await (await page.request.get(`/api/features/${card.id}`)).json();
  expect(saved).toMatchObject({ title: "A thought of mine", ...theirs });
});

test("the backlog is put in order by mouse and by keyboard", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  for (const title of ["One", "Two", "Three"]) await project.write(title);
  await page.goto(`/p/${project.id}`);
  const titles = () => cards(page, "Backlog").locator("h3").allTextContents();
  await expect.poll(titles).toEqual(["One", "Two", "Three"]);

  await expect(cards(page, "Backlog").nth(2)).toHaveAttribute("draggable", "true");
  const box = await cards(page, "Backlog").nth(0).boundingBox();
  await cards(page, "Backlog")
    .nth(2)
    .dragTo(cards(page, "Backlog").nth(0), { targetPosition: { x: 40, y: Math.min(6, box?.height ?? 6) } });
  await expect.poll(titles).toEqual(["Three", "One", "Two"]);

  await page.getByRole("link", { name: "Three" }).focus();
  await page.keyboard.press("m");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect.poll(titles).toEqual(["One", "Two", "Three"]);

  // And without either: a menu does what dragging does.
  await cards(page, "Backlog").nth(1).hover();
  await page.getByRole("button", { name: "More about #2" }).click();
  await page.getByRole("menuitem", { name: "Move to the top" }).click();
  await expect.poll(titles).toEqual(["Two", "One", "Three"]);
  await page.reload();
  await expect.poll(titles).toEqual(["Two", "One", "Three"]);
  // Before it may stand how much is unread.
  await expect(page).toHaveTitle(new RegExp(`^(\\(\\d+\\) )?${project.name} · Guildhall$`));
});

test("a card is started by dragging, stopped by keyboard, and shelved", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL, "sample");
  await project.write("Count the open items", { description: silent, model: "simulated" });
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Backlog").first()).toHaveAttribute("draggable", "true");
  await cards(page, "Backlog").first().dragTo(column(page, "In progress"));
  await expect(cards(page, "In progress")).toHaveCount(1);
  await expect(cards(page, "In progress")).toContainText(/Implementing|Planning|Checking/);

  await page.getByRole("link", { name: "Count the open items" }).focus();
  await page.keyboard.press("m");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Space");
  await expect(cards(page, "Needs attention")).toHaveCount(1);

  await page.getByRole("link", { name: "Count the open items" }).focus();
  await page.keyboard.press("m");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  await expect(cards(page, "Backlog")).toHaveCount(1);
});

test("what is not possible says so and changes nothing", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await project.write("Too early");
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Backlog").first()).toHaveAttribute("draggable", "true");
  await cards(page, "Backlog").first().dragTo(column(page, "Completed"));
  await expect(page.getByText("Only finished work can be merged.").first()).toBeVisible();
  await expect(cards(page, "Backlog")).toHaveCount(1);
});

test("filter, select several, and delete them", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await project.write("Alpha", { category: "api" });
  await project.write("Beta", { category: "docs", priority: 1 });
  await project.write("Gamma", { category: "docs" });
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Backlog")).toHaveCount(3);
  await page.keyboard.press("/");
  await page.keyboard.type("docs");
  await expect(cards(page, "Backlog")).toHaveCount(2);
  await expect(page).toHaveURL(/q=docs/);
  await page.keyboard.press("Escape");
  await expect(cards(page, "Backlog")).toHaveCount(3);
  await page.getByRole("button", { name: "Priority: Any priority" }).click();
  await page.getByRole("menuitemradio", { name: "High" }).click();
  await expect(cards(page, "Backlog")).toHaveCount(1);
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByRole("link", { name: "Alpha" }).focus();
  await page.keyboard.press("x");
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await expect(page.getByRole("toolbar")).toContainText("2 selected");
  await page.getByRole("toolbar").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(cards(page, "Backlog")).toHaveCount(1);
  await expect(cards(page, "Backlog")).toContainText("Gamma");
});

test("the board is narrowed to one's own cards, and to an agent's", async ({ page, baseURL, browser }) => {
  const project = await makeProject(page, baseURL);
  const owner = asPage(page.request, baseURL);
  await project.write("Written by the owner");
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Backlog")).toHaveCount(1);
  const member = page.getByRole("button", { name: /^Member:/ });
  await expect(member).toHaveCount(0);
  // There is a choice as soon as somebody else writes a card, with another agent.
  const ben = await join(browser, baseURL, owner);
  const { items: agents } = await (await page.request.get("/api/agents")).json();
  const reviewer = agents.find((agent: { name: string }) => agent.name === "Reviewer");
  const path = `/api/projects/${project.id}/features`;
  await ben.http.post(path, { title: "Written by Ben", description: "x", agentId: reviewer.id });
  await expect(cards(page, "Backlog")).toHaveCount(2);
  await expect(page.getByTitle("Written by Ben")).toHaveCount(1);
  await member.click();
  await page.getByRole("menuitemradio", { name: "Mine" }).click();
  await expect(cards(page, "Backlog")).toHaveText([/Written by the owner/]);
  await page.reload();
  await expect(cards(page, "Backlog")).toHaveText([/Written by the owner/]);
  await page.getByRole("button", { name: "Member: Mine" }).click();
  await page.getByRole("menuitemradio", { name: "Ben" }).click();
  await expect(cards(page, "Backlog")).toHaveText([/Written by Ben/]);
  await page.getByRole("button", { name: "Agent: Any agent" }).click();
  await page.getByRole("menuitemradio", { name: "The usual agent" }).click();
  await expect(page.getByRole("heading", { name: "No card matches" })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Clear the filter" }).click();
  await expect(cards(page, "Backlog")).toHaveCount(2);
  await page.getByRole("button", { name: "Agent: Any agent" }).click();
  await page.getByRole("menuitemradio", { name: "Reviewer" }).click();
  await expect(cards(page, "Backlog")).toHaveText([/Written by Ben/]);
  await ben.page.context().close();
});

test("an image is pasted onto a card", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}`);
  await page.getByRole("button", { name: "Write the first card" }).click();
  await page.getByRole("textbox", { name: "Description" }).fill("It should look like this");
  await page.evaluate(() => {
    const bytes = Uint8Array.from(
      atob(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      ),
      (char) => char.charCodeAt(0),
    );
    const data = new DataTransfer();
    data.items.add(new File([bytes], "image.png", { type: "image/png" }));
    document.activeElement?.dispatchEvent(
      new ClipboardEvent("paste", { clipboardData: data, bubbles: true }),
    );
  });
  await expect(page.getByRole("list", { name: "Attachments" })).toContainText("pasted-");
  await page.keyboard.press("ControlOrMeta+Enter");
  await expect(cards(page, "Backlog")).toHaveCount(1);
  await page.getByRole("link", { name: "It should look like this" }).focus();
  await page.keyboard.press("e");
  const list = page.getByRole("list", { name: "Attachments" });
  await expect(list).toContainText("pasted-");
  await list.getByRole("button", { name: /Remove/ }).click();
  await expect(list).toHaveCount(0);
});

test("a deletion names who depends on the card, and the dependency is taken off", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  const below = await project.write("Log in");
  await project.write("Log out", { dependencies: [below.id] });
  await page.goto(`/p/${project.id}`);
  await page.getByRole("link", { name: "Log in" }).focus();
  await page.keyboard.press("x");
  await page.getByRole("toolbar").getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("alertdialog");
  await expect(dialog).toContainText(
    "#2 “Log out” depends on it, and waits until somebody takes that dependency off.",
  );
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(cards(page, "Backlog")).toHaveCount(1);
  await expect(cards(page, "Backlog")).toContainText("Depends on a card that was deleted.");
  await page.getByRole("link", { name: "Log out" }).click();
  const panel = page.getByRole("complementary", { name: "Feature" });
  await panel.getByRole("tab", { name: "Overview" }).click();
  await expect(panel).toContainText("A card that was deleted before it was merged");
  await expectAccessible(page);
  await panel.getByRole("button", { name: "Take off" }).click();
  await expect(panel).not.toContainText("was deleted");
  await expect(cards(page, "Backlog")).not.toContainText("Depends on");
});

test("a card stays in sight when its panel takes the room, and Enter leads into the panel", async ({
  page,
  baseURL,
}) => {
  const http = asPage(page.request, baseURL);
  const name = `A project with a name that no toolbar could show in full ${Date.now()}`;
  const { id } = await http.post("/api/projects", { name, source: { kind: "empty" } });
  await expect
    .poll(async () => (await (await page.request.get(`/api/projects/${id}`)).json()).status)
    .toBe("ready");
  for (const title of ["One", "Two"])
    await http.post(`/api/projects/${id}/features`, { title, description: title });
  await page.goto(`/p/${id}`);
  const toolbar = page.locator("main header").first();
  const height = async () => (await toolbar.boundingBox())?.height;
  await expect(page.getByRole("button", { name: /^Auto mode/ })).toBeVisible();
  const before = (await resting(toolbar)).height;
  expect(before).toBeLessThan(60);
  await page.getByRole("link", { name: "Two" }).focus();
  await page.keyboard.press("Enter");
  const panel = page.getByRole("complementary", { name: "Feature" });
  await expect(panel).toBeFocused();
  await expect.poll(height).toBe(before);
  await expect(cards(page, "Backlog").nth(1)).toBeInViewport({ ratio: 1 });
  // The card comes after what stands before it in the panel.
  await page.keyboard.press("Escape");
  await expect(page.getByRole("link", { name: "Two" })).toBeFocused();
  await page.getByRole("link", { name: "Two" }).click();
  await expect(panel).toBeVisible();
  await expect(page.getByRole("button", { name: "Filter", exact: true })).toBeVisible();
  await page.getByRole("link", { name: "One" }).focus();
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox", { name: "Filter the cards" })).toBeFocused();
});

test("a filter that lets nothing through says so, and is cleared", async ({ page, baseURL }) => {
  const project = await makeProject(page, baseURL);
  await project.write("Alpha");
  await page.goto(`/p/${project.id}?q=zzz`);
  await expect(page.getByRole("heading", { name: "No card matches" })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("main").getByRole("button", { name: "Clear the filter" }).last().click();
  await expect(cards(page, "Backlog")).toHaveCount(1);
  await page.goto(`/p/${project.id}?q=alpha`);
  await expect(column(page, "Verified")).toContainText("No card matches.");
});

test("a card that cannot begin for want of a key says so and leads to the keys", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}`);
  await page.getByRole("button", { name: "Write the first card" }).click();
  await page.getByLabel("Title").fill("Needs a key");
  await page.getByRole("textbox", { name: "Description" }).fill("Anything.");
  await page.getByRole("button", { name: "Create and start" }).click();
  const card = cards(page, "Backlog").first();
  await expect(card).toContainText("There is no key", { ignoreCase: true });
  await card.getByRole("link", { name: "Add a key" }).click();
  await expect(page).toHaveURL(/\/settings#keys$/);
});
