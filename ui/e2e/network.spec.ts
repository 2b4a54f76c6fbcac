import { cards, expect, expectAccessible, makeProject, overhang, test } from "./support";

const script = (...lines: object[]) =>
  `\`\`\`sim\n${lines.map((line) => JSON.stringify(line)).join("\n")}\n\`\`\``;

test("a refused host is told on the card, allowed there, and stands on the project's list", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  const asks = (host: string) =>
    `exec 3<> /dev/tcp/127.0.0.1/3128; printf 'CONNECT ${host} HTTP/1.1\\r\\n\\r\\n' >&3; cat <&3`;
  // It goes on for a while: what was refused is gathered before the run is told.
  const command = `${asks("packages.example:443")}; ${asks("a-host-with-quite-a-long-name.below.evil.example:8443")}; sleep 3`;
  const description = script({ tools: [["bash", { command }]] }, { say: "Done." });
  const card = await project.write("Ask outside", { description, model: "simulated" });
  const headers = { origin: new URL(baseURL ?? "").origin };
  await page.request.post(`/api/features/${card.id}/start`, { headers });
  await page.goto(`/p/${project.id}`);
  await expect(cards(page, "Waiting for approval")).toHaveCount(1, { timeout: 60_000 });

  await page.goto(`/f/${card.id}?tab=live`);
  const notice = page.getByRole("region", { name: "Refused hosts" });
  await expect(notice.getByText("packages.example:443")).toBeVisible();
  const live = page.getByLabel("What happens in this run");
  await expect(live.getByText("asked for hosts that the project does not let them reach")).toBeVisible();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/network-card.png" });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.screenshot({ path: "test-results/network-card-narrow.png" });
  await page.setViewportSize({ width: 1440, height: 900 });
  await notice.getByRole("button", { name: "Allow packages.example:443" }).click();
  await expect(page.getByText("packages.example is allowed")).toBeVisible();
  await expect(notice.getByText("packages.example:443")).toHaveCount(0);

  await notice.getByRole("link", { name: "Network settings" }).click();
  const settings = page.getByRole("region", { name: "Network" });
  await expect(settings.getByLabel("Other hosts")).toHaveValue("packages.example");
  await expect(settings.getByRole("radio", { name: "The hosts on a list" })).toBeChecked();
  await expect(settings.getByText("evil.example:8443")).toBeVisible();
  await settings.getByText(/^Which \d+ hosts these are$/).click();
  await expect(settings.getByText("registry.npmjs.org", { exact: false })).toBeVisible();
  await settings.scrollIntoViewIfNeeded();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/network-settings.png" });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 390, height: 844 });
  await expectAccessible(page);
  await expect.poll(() => overhang(page)).toBeLessThanOrEqual(0);
  await settings.getByText("evil.example:8443").scrollIntoViewIfNeeded();
  await page.screenshot({ path: "test-results/network-settings-narrow.png" });
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize({ width: 1440, height: 900 });

  // By keyboard: what is allowed here comes into the list that is being edited, and nothing else of it is lost.
  await settings.getByLabel("Other hosts").fill("packages.example\n*.mine.example");
  await settings.getByRole("button", { name: /^Allow a-host-with/ }).focus();
  await page.keyboard.press("Enter");
  await expect(settings.getByText("No command was refused a host.")).toBeVisible();
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("Settings saved")).toBeVisible();
  await expect(settings.getByLabel("Other hosts")).toHaveValue(
    "packages.example\n*.mine.example\na-host-with-quite-a-long-name.below.evil.example:8443",
  );
  await settings.getByLabel("Other hosts").fill("10.0.0.1");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(settings.getByRole("alert")).toContainText("cannot stand on the list");

  // The list is looked at where nothing is reached as well, and what is wrong with it is said.
  await settings.getByRole("radio", { name: "Nothing" }).check();
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(settings.getByRole("alert")).toContainText("cannot stand on the list");

  // What somebody else allows while one writes here stays allowed when this is saved.
  await page.reload();
  const saved = await (await page.request.get(`/api/projects/${project.id}`)).json();
  await expect(settings.getByRole("radio", { name: "The hosts on a list" })).toBeChecked();
  const host = { host: "late.example" };
  await page.request.post(`/api/projects/${project.id}/network/allow`, { headers, data: host });
  await expect(settings.getByLabel("Other hosts")).toHaveValue(/\nlate\.example$/);
  await page.getByRole("textbox", { name: /Instructions/ }).fill("Be brief.");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("Settings saved")).toBeVisible();
  const after = await (await page.request.get(`/api/projects/${project.id}`)).json();
  expect(after.settings.network.hosts).toEqual([...saved.settings.network.hosts, "late.example"]);
});
