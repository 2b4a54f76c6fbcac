import { asPage, expect, expectAccessible, makeProject, test } from "./support";

const DONE = 'Do it.\n\n```sim\n{"say": "One two three."}\n```';

test("prices, what calls cost, and a budget that asks for more", async ({ page, baseURL }) => {
  const http = asPage(page.request, baseURL);
  const origin = { origin: new URL(baseURL ?? "").origin };

  const clear = async () => {
    const rows = (await (await page.request.get("/api/settings/prices")).json()).items;
    for (const row of rows) await page.request.delete(`/api/settings/prices/${row.id}`, { headers: origin });
    await page.request.put("/api/settings/budgets", { data: { monthMicros: null }, headers: origin });
  };
  // A try before this one may have left its own.
  await clear();

  // An admin says what a model costs.
  await page.goto("/settings#prices");
  await page.getByRole("button", { name: "Add a price" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Model").fill("simulated");
  for (const part of ["Input", "Cache read", "Cache write"]) {
    await dialog.getByRole("textbox", { name: part, exact: true }).fill("0");
  }
  await dialog.getByRole("textbox", { name: "Output", exact: true }).fill("a lot");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog.getByText("Write a sum")).toBeVisible();
  await dialog.getByRole("textbox", { name: "Output", exact: true }).fill("1000");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("region", { name: "Your prices" }).getByText("$1000")).toBeVisible();

  // A run costs it.
  const project = await makeProject(page, baseURL);
  const built = await project.write("Login form", {
    description: DONE,
    model: "simulated",
    budgetMicros: 100_000_000,
  });
  await http.post(`/api/features/${built.id}/start`);
  const status = async (id: string) => (await (await page.request.get(`/api/features/${id}`)).json()).status;
  await expect.poll(() => status(built.id), { timeout: 60_000 }).toBe("waiting_approval");
  await page.goto(`/usage?project=${project.id}&by=feature`);
  const table = page.getByRole("table", { name: /^Card,/ });
  await expect(table.getByRole("row", { name: /#1 Login form/ })).toContainText("$0.0");
  await expect(page.getByRole("heading", { name: "Cost by day" })).toBeVisible();
  await expect(page.locator(".recharts-bar-rectangle path").first()).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Tokens", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Tokens by day" })).toBeVisible();
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save this table as CSV" }).click(),
  ]);
  expect(file.suggestedFilename()).toMatch(/^usage-feature-.*\.csv$/);
  await page.screenshot({ path: "test-results/usage-1440.png", fullPage: true });

  // Days without a call say so.
  await page.goto("/usage?from=2020-01-01&to=2020-01-31");
  await expect(page.getByRole("heading", { name: "No calls in these days" })).toBeVisible();

  // The month's budget is set and shown.
  await page.getByRole("button", { name: "Change: Each member, a month" }).click();
  await page.getByRole("dialog").getByLabel("US dollars").fill("50");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("progressbar", { name: /Ada Lovelace/ })).toHaveAttribute(
    "aria-valuetext",
    /of \$50\.00/,
  );

  // A card with too small a budget waits, says so, and goes on with more.
  const small = await project.write("Search", {
    description: DONE,
    model: "simulated",
    budgetMicros: 1_000_000,
  });
  await http.post(`/api/features/${small.id}/start`);
  await page.goto(`/f/${small.id}`);
  const notice = page.getByRole("region", { name: "Waits for a budget" });
  await expect(notice).toContainText("$1.00", { timeout: 60_000 });
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.screenshot({ path: "test-results/parked-390.png" });
  await notice.getByRole("button", { name: "Allow $5.00 more for this run" }).click();
  await expect.poll(() => status(small.id), { timeout: 60_000 }).toBe("waiting_approval");
  await expect(notice).toBeHidden();

  await page.emulateMedia({ colorScheme: "dark" });
  await page.goto(`/usage?project=${project.id}`);
  await expect(page.locator(".recharts-bar-rectangle path").first()).toBeVisible();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/usage-390-dark.png", fullPage: true });
  await page.goto("/settings#prices");
  await expect(page.getByRole("region", { name: "Your prices" })).toBeVisible();
  await page.screenshot({ path: "test-results/prices-390-dark.png", fullPage: true });

  // Other tests find the simulated model free and nobody bounded.
  await clear();
});
