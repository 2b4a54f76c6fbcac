import { asPage, expect, expectAccessible, join, makeProject, shots, test } from "./support";

const SECRET = "canary-of-the-page-5d";
/** An MCP server of the older kind, which says of its first tool what stands in its environment. */
const SERVER = `
import json, os, sys
def tool(name, says):
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    return {"name": name, "description": says, "inputSchema": schema, "annotations": {"readOnlyHint": True}}
for line in sys.stdin:
    m = json.loads(line)
    answer = {"jsonrpc": "2.0", "id": m.get("id")}
    if m.get("method") == "initialize":
        answer["result"] = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "small", "version": "1"}}
    elif m.get("method") == "tools/list":
        answer["result"] = {"tools": [tool("echo", os.environ["SAYS"]), tool("list_pages", "Lists the pages.")]}
    elif "id" in m:
        answer["error"] = {"code": -32601, "message": "not known"}
    else:
        continue
    print(json.dumps(answer), flush=True)
`;

test("an MCP server is added, tried, approved, and asks again when it says something else", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  await page.goto(`/p/${project.id}/settings`);
  const section = page.getByRole("region", { name: "MCP servers" });
  await expect(section.getByText("No servers yet.", { exact: false })).toBeVisible();

  // By keyboard: added, and what is wrong is said at its field.
  await section.getByRole("button", { name: "Add a server" }).press("Enter");
  const dialog = page.getByRole("dialog", { name: "Add a server" });
  await expect(dialog.getByLabel("Name", { exact: true })).toBeFocused();
  await page.keyboard.type("My Docs");
  await dialog.getByLabel("Command").fill("echo no luck >&2; exit 3");
  await dialog.getByRole("button", { name: "Add a variable" }).click();
  await dialog.getByLabel("Name", { exact: true }).last().fill("KEY");
  await dialog.getByLabel("Value", { exact: true }).fill(SECRET);
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/mcp-dialog.png" });
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await expect(dialog.getByText(/small letters, digits and single hyphens/).last()).toBeVisible();
  await dialog.getByLabel("Name", { exact: true }).first().fill("docs");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  const row = section.getByRole("listitem", { name: "docs" });
  await expect(row.getByText("Not tried yet.")).toBeVisible();
  await row.getByRole("button", { name: "Try docs" }).click();
  await expect(row.getByText("exit code 3", { exact: false })).toBeVisible();
  await row.getByText("The end of its standard error").click();
  await expect(row.getByText("no luck", { exact: true })).toBeVisible();
  await shots(page, "mcp-failed");

  // Somebody mends it elsewhere; this page hears of it.
  const listed = await page.request.get(`/api/projects/${project.id}/mcp-servers`);
  const { id } = (await listed.json()).items[0];
  const mend = async (says: string) => {
    const values = [
      { name: "SERVER", value: SERVER, secret: false },
      { name: "SAYS", value: says, secret: false },
      { name: "KEY", value: SECRET },
    ];
    const answer = await page.request.patch(`/api/mcp-servers/${id}`, {
      data: { transport: { kind: "stdio", command: 'exec python3 -c "$SERVER"' }, values },
      headers: { origin: new URL(baseURL ?? "").origin },
    });
    expect(answer.ok(), await answer.text()).toBe(true);
  };
  await mend("Says it again.");
  await expect(row.getByText('exec python3 -c "$SERVER"')).toBeVisible();
  await row.getByRole("button", { name: "Try docs" }).click();
  await expect(row.getByText("offers 2 tools", { exact: false })).toBeVisible({ timeout: 60_000 });
  await expect(row.getByText("2 tools to look at")).toBeVisible();
  await row.getByRole("button", { name: "Look at echo" }).click();
  await expect(row.getByRole("region", { name: "What the server says of echo" })).toContainText(
    "Says it again.",
  );
  await row.getByRole("button", { name: "Approve all 2" }).click();
  await expect(row.getByText("Approved", { exact: true })).toHaveCount(2);
  await row.getByRole("switch", { name: "Agents may have list_pages" }).click();
  await expect(row.getByRole("switch", { name: "Agents may have list_pages" })).not.toBeChecked();
  await shots(page, "mcp-tools");

  await mend("Says it again, and reads your keys.");
  await row.getByRole("button", { name: "Try docs" }).click();
  await expect(row.getByText("1 tool to look at")).toBeVisible({ timeout: 60_000 });
  const changed = row.getByRole("region", { name: "What echo was and is" });
  await expect(changed).toContainText("and reads your keys");
  await shots(page, "mcp-changed");
  await row.getByRole("button", { name: "Approve echo" }).click();
  await expect(row.getByText("1 tool to look at")).toBeHidden();
  expect(await page.content()).not.toContain(SECRET);

  // An agent is given one of its tools.
  await page.goto("/agents-library");
  await page.getByRole("button", { name: "New agent" }).click();
  const editor = page.getByRole("dialog", { name: "New agent" });
  await editor.getByLabel("Name").fill(`Reader ${Date.now()}`);
  await editor.getByLabel("Prompt").fill("Read.");
  await editor.getByRole("switch", { name: "docs" }).click();
  await editor.getByRole("checkbox", { name: "list_pages" }).uncheck();
  await editor.getByRole("group", { name: "Tools of docs" }).scrollIntoViewIfNeeded();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/mcp-agent.png" });
  const [made] = await Promise.all([
    page.waitForResponse((answer) => answer.url().endsWith("/api/agents") && answer.status() === 201),
    editor.getByRole("button", { name: "Save" }).click(),
  ]);
  expect((await made.json()).mcpServers).toEqual([{ serverId: "docs", enabledTools: ["echo"] }]);
});

test("an admin adds an MCP server for the whole team, and agents are offered it", async ({
  page,
  browser,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  const name = `team-${Date.now().toString(36)}`;
  await page.goto("/settings#team-mcp-servers");
  const section = page.getByRole("region", { name: "The team's MCP servers" });
  await section.getByRole("button", { name: "Add a server" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a server" });
  await dialog.getByLabel("Name", { exact: true }).fill(name);
  await dialog.getByLabel("Command").fill('exec python3 -c "$SERVER"');
  await dialog.getByRole("button", { name: "Add a variable" }).click();
  await dialog.getByLabel("Name", { exact: true }).last().fill("KEY");
  await dialog.getByLabel("Value", { exact: true }).fill(SECRET);
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  const row = section.getByRole("listitem", { name });
  await expect(row.getByText("Not tried yet.")).toBeVisible();

  // The program has several lines, which no field of the form holds.
  const { items } = await (await page.request.get("/api/mcp-servers?team=true")).json();
  const { id } = items.find((server: { name: string }) => server.name === name);
  const values = [
    { name: "SERVER", value: SERVER, secret: false },
    { name: "SAYS", value: "Says it again.", secret: false },
    { name: "KEY", value: SECRET },
  ];
  const headers = { origin: new URL(baseURL ?? "").origin };
  const mended = await page.request.patch(`/api/mcp-servers/${id}`, { data: { values }, headers });
  expect(mended.ok(), await mended.text()).toBe(true);

  // A program is tried in the sandbox of a project.
  await row.getByRole("button", { name: `Try ${name}` }).click();
  const trying = page.getByRole("dialog", { name: `Try ${name}` });
  await trying.getByRole("combobox", { name: "In the sandbox of" }).click();
  await page.getByRole("option", { name: project.name }).click();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/mcp-team-try.png" });
  await trying.getByRole("button", { name: "Try it" }).click();
  await expect(row.getByText("offers 2 tools", { exact: false })).toBeVisible({ timeout: 60_000 });
  await row.getByRole("button", { name: "Approve all 2" }).click();
  await expect(row.getByText("Approved", { exact: true })).toHaveCount(2);
  await expectAccessible(page);
  await shots(page, "mcp-team");
  expect(await page.content()).not.toContain(SECRET);

  // A project says that its agents may have it, and an agent's form offers it.
  await page.goto(`/p/${project.id}/settings#mcp-servers`);
  const own = page.getByRole("region", { name: "MCP servers" });
  await expect(own.getByText(name, { exact: false })).toBeVisible();
  await own.getByRole("link", { name: "See the team's" }).click();
  await expect(row).toBeVisible();
  await page.goto("/agents-library");
  await page.getByRole("button", { name: "New agent" }).click();
  const editor = page.getByRole("dialog", { name: "New agent" });
  await editor.getByLabel("Name").fill(`Reader ${name}`);
  await editor.getByLabel("Prompt").fill("Read.");
  const choice = editor.getByRole("switch", { name: `${name} the team's` });
  await choice.click();
  await expect(editor.getByRole("checkbox", { name: "list_pages" })).toBeChecked();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/mcp-team-agent.png" });
  const [made] = await Promise.all([
    page.waitForResponse((answer) => answer.url().endsWith("/api/agents") && answer.status() === 201),
    editor.getByRole("button", { name: "Save" }).click(),
  ]);
  expect((await made.json()).mcpServers).toEqual([{ serverId: name, enabledTools: null }]);

  // Whoever does not run the team sees it and changes nothing.
  const ben = await join(browser, baseURL, asPage(page.request, baseURL));
  await ben.page.goto("/settings#team-mcp-servers");
  const seen = ben.page.getByRole("region", { name: "The team's MCP servers" });
  await expect(seen.getByRole("listitem", { name })).toBeVisible();
  await seen.getByRole("button", { name: `Tools of ${name}` }).click();
  await expect(seen.getByText("Approved", { exact: true })).toHaveCount(2);
  await expect(seen.getByRole("switch", { name: "Agents may have echo" })).toBeDisabled();
  await expect(seen.getByRole("button", { name: /^(Add|Try|Change|Remove)/ })).toHaveCount(0);
  await ben.page.context().close();

  await page.goto("/settings#team-mcp-servers");
  await row.getByRole("button", { name: `Remove ${name}` }).click();
  await page
    .getByRole("alertdialog", { name: `Remove ${name}?` })
    .getByRole("button", { name: "Remove" })
    .click();
  await expect(row).toBeHidden();
});
