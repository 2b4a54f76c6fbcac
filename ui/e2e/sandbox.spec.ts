import { expect, expectAccessible, makeProject, test } from "./support";

const BROKEN = {
  isolation: "bubblewrap",
  usable: false,
  findings: [
    { name: "bubblewrap", ok: true, detail: "0.11.0 at /usr/bin/bwrap" },
    {
      name: "sandboxed command",
      ok: false,
      detail: "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1",
    },
  ],
};
const NONE = {
  isolation: "none",
  usable: true,
  findings: [{ name: "isolation", ok: false, detail: 'off, because the operator wrote sandbox = "none"' }],
};

test("what the host can do to keep agents apart, and what is said where it cannot", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  await project.write("A card");
  // The real server of this test isolates.
  await page.goto("/team");
  const part = page.getByRole("region", { name: "Sandbox" });
  await expect(part.getByText("Agents' commands are kept apart", { exact: true })).toBeVisible();
  await part.getByRole("link", { name: "What was found" }).click();
  await expect(page.getByRole("heading", { name: "Sandbox", level: 1 })).toBeVisible();
  const found = page.getByRole("list", { name: "What was tried" });
  await expect(found.getByRole("listitem").filter({ hasText: "namespaces" })).toContainText("Works");
  await expect(found.getByText("Missing")).toHaveCount(0);
  await expectAccessible(page);
  await page.goto(`/p/${project.id}`);
  await expect(page.getByRole("region", { name: "Backlog" })).toBeVisible();
  await expect(page.getByText("No agent can start on this server.")).toHaveCount(0);

  // One that cannot says so on the board, what is missing, and what to do about it.
  let answer: object = BROKEN;
  await page.route("**/api/sandbox", (route) => route.fulfill({ json: answer }));
  await page.reload();
  const banner = page.getByRole("region", { name: "Sandbox" });
  await expect(banner).toContainText("No agent can start on this server.");
  await expect(banner).toContainText("sysctl kernel.unprivileged_userns_clone=1");
  await expectAccessible(page);
  await banner.getByRole("link", { name: "What was found" }).click();
  await expect(page.getByText("No agent can start on this server")).toBeVisible();
  await expect(page.getByRole("listitem").filter({ hasText: "Sandboxed command" })).toContainText("Missing");
  await page.screenshot({ path: "test-results/sandbox-1440.png" });

  // One whose operator does without says that in plain words.
  answer = NONE;
  await page.setViewportSize({ width: 390, height: 844 });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.reload();
  await expect(page.getByText("Agents' commands are not kept apart")).toBeVisible();
  await expect(page.getByText(/Every agent can read this server's keys/)).toBeVisible();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/sandbox-390.png" });
  await page.goto(`/p/${project.id}`);
  await expect(page.getByRole("region", { name: "Sandbox" })).toContainText(
    "not kept apart from this server",
  );
});
