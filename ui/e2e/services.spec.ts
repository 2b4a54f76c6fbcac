import { asPage, expect, makeProject, shots, test } from "./support";

const SERVER = `use IO::Socket::INET; $| = 1; $SIG{CHLD} = 'IGNORE';
my $door = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 8125, Listen => 9) or die $!;
print "\\e[32mlistening\\e[0m\\n";
while (my $guest = $door->accept) {
  next if fork;
  while (my $line = <$guest>) { last if $line =~ /^\\r?\\n$/ }
  my $page = '<!doctype html><title>Built</title><h1>What the agent built</h1><p id=who></p>'
    . '<script>who.textContent = "at " + location.hostname.slice(0, 2) + " with [" + document.cookie + "]"</script>';
  print $guest "HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\nContent-Length: ", length $page, "\\r\\n\\r\\n$page";
  exit;
}
`;

test("a service is started, its pages are looked at, and a terminal changes the work", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  const lines = [
    { tools: [["write", { path: "serve.pl", content: SERVER }]] },
    { tools: [["service_start", { name: "watch", command: "echo watching; sleep 600" }]] },
    // What it prints has a while to come.
    { tools: [["bash", { command: "sleep 2" }]] },
    { say: "Done." },
  ];
  const description = `\`\`\`sim\n${lines.map((line) => JSON.stringify(line)).join("\n")}\n\`\`\``;
  const card = await project.write("Serve me", { description, model: "simulated" });
  await asPage(page.request, baseURL).post(`/api/features/${card.id}/start`);
  await expect
    .poll(async () => (await (await page.request.get(`/api/features/${card.id}`)).json()).status, {
      timeout: 60_000,
    })
    .toBe("waiting_approval");

  // What the agent had running ended with its work, and its log is kept.
  await page.goto(`/f/${card.id}?tab=services`);
  const watch = page.getByRole("button", { name: /Stopped watch/ });
  await watch.click();
  await expect(page.getByLabel("What watch printed")).toHaveText("watching");
  await expect(page.getByText("The agent's work ended", { exact: false })).toBeVisible();

  await page.getByRole("button", { name: "Start a service" }).click();
  await page.getByLabel("Command").fill("perl serve.pl");
  await page.getByLabel("Port").fill("8125");
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("What web printed")).toHaveText("listening");
  await shots(page, "services");

  // Its pages are on an origin of their own, where nothing of Guildhall's is to be had.
  const opening = page.waitForEvent("popup");
  await page.getByRole("button", { name: "Open the pages of web in a new tab" }).click();
  const built = await opening;
  await expect(built.getByRole("heading", { name: "What the agent built" })).toBeVisible();
  await expect(built.locator("#who")).toHaveText("at p- with []");
  expect(new URL(built.url()).search).toBe("");
  await built.close();
  await page.getByRole("button", { name: "Stop web" }).click();
  await expect(page.getByRole("button", { name: /Stopped web/ })).toBeVisible();

  // A terminal in the worktree: what is changed there is work of the card, and the keyboard finds out of it again.
  await page.getByRole("tab", { name: "Terminal" }).click();
  await page.getByRole("button", { name: "Open terminal" }).click();
  const terminal = page.getByRole("textbox", { name: "Terminal" });
  await expect(terminal).toBeFocused();
  const screen = page.locator(".xterm-rows");
  await expect(screen).toContainText("/workspace $");
  await page.keyboard.type("ls; echo hand > hand.txt; tput cols\n");
  await expect(screen).toContainText("serve.pl");
  await shots(page, "terminal");
  // What runs in it goes on while one looks at something else, and is not left without a question.
  await page.keyboard.type("echo $((40 + 2)) lanterns; cat\n");
  await expect(screen).toContainText("42 lanterns");
  await page.getByRole("tab", { name: /Changes/ }).click();
  await expect(terminal).toBeHidden();
  await page.getByRole("tab", { name: "Terminal" }).click();
  await expect(screen).toContainText("42 lanterns");
  await page.getByRole("link", { name: "Inbox" }).click();
  const sure = page.getByRole("alertdialog");
  await expect(sure).toContainText("what runs in it ends");
  await sure.getByRole("button", { name: "Keep editing" }).click();
  await terminal.focus();
  await page.keyboard.type("still here\n");
  await expect(screen).toContainText("still here");
  await page.keyboard.press("Control+D");
  await page.keyboard.press("Control+Shift+ArrowUp");
  await expect(page.getByRole("button", { name: "Close terminal" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Open terminal" })).toBeVisible();
  await page.getByRole("tab", { name: /Changes/ }).click();
  // The terminal's screen is still there, out of sight.
  await expect(page.getByText("hand.txt").filter({ visible: true }).first()).toBeVisible();
});
