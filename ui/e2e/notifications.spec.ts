import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { asPage, expect, expectAccessible, makeProject, test } from "./support";

const done = 'Say it.\n\n```sim\n{"say": "Done."}\n```';

test("a member is told what becomes of a card, opens it by keyboard, and has read it", async ({
  page,
  baseURL,
}) => {
  const project = await makeProject(page, baseURL);
  const http = asPage(page.request, baseURL);
  await http.post("/api/notifications/read", { upTo: 1_000_000_000 });
  await page.goto("/notifications");
  await expect(page.getByRole("heading", { name: "Notifications" })).toBeVisible();
  await expect(page).toHaveTitle(/^Notifications/);
  const first = await project.write("Greeting", { description: done, model: "simulated" });
  const second = await project.write("Farewell", { description: done, model: "simulated" });
  await http.post(`/api/features/${first.id}/start`);
  // Told over the socket, without a look at the page.
  const list = page.getByRole("list", { name: "Notifications" });
  const told = list.getByRole("listitem").filter({ hasText: `#${first.number} Greeting waits for approval` });
  await expect(told).toContainText("Unread");
  await expect(page).toHaveTitle(/^\(1\) Notifications/);
  await http.post(`/api/features/${second.id}/start`);
  await expect(page).toHaveTitle(/^\(2\) Notifications/);
  await expect(page.getByRole("link", { name: /^Notifications ?2 unread/ })).toBeVisible();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/notifications.png" });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.screenshot({ path: "test-results/notifications-dark.png" });
  await expectAccessible(page);
  await page.emulateMedia({ colorScheme: "light" });

  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/p/${project.id}\\?f=${first.id}`));
  await expect(page).toHaveTitle(/^\(1\) /);
  await page.goBack();
  await expect(told).not.toContainText("Unread");
  await page.keyboard.press("Shift+E");
  await expect(page).toHaveTitle(/^Notifications/);
  await page.getByText("Unread", { exact: true }).click();
  await expect(page.getByText("All read")).toBeVisible();

  await page.setViewportSize({ width: 390, height: 844 });
  await http.post(`/api/features/${first.id}/verify`);
  await page.getByText("All", { exact: true }).click();
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/notifications-narrow.png" });
  await page.goto("/");
  await page.getByRole("main").getByRole("link", { name: "Notifications" }).click();
  await expect(page).toHaveURL(/\/notifications$/);
});

test("a webhook is made, its secret shown once, tried, and its log says what came of it", async ({
  page,
}) => {
  const heard: string[] = [];
  const receiver = createServer((request, response) => {
    heard.push(String(request.headers["webhook-signature"]));
    response
      .writeHead(request.url === "/good" ? 200 : 500)
      .end(request.url === "/good" ? "thanks" : "broken");
  });
  await new Promise<void>((listening) => receiver.listen(0, "127.0.0.1", listening));
  const at = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  await page.goto("/settings");
  const section = page.getByRole("region", { name: "Notifications and webhooks" });
  await expect(section.getByText("This server sends no mail.")).toBeVisible();
  // A try before this one may have left its own.
  const none = section.getByText("No webhook yet.");
  const left = section.getByRole("button", { name: "Delete" });
  await expect(none.or(left.first())).toBeVisible();
  for (let n = await left.count(); n > 0; n -= 1) {
    await left.first().click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await expect(page.getByRole("alertdialog")).toHaveCount(0);
    await expect(left).toHaveCount(n - 1);
  }
  await section.getByRole("button", { name: "Add a webhook" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a webhook" });
  await dialog.getByLabel("Name").fill("My chat");
  await dialog.getByLabel("Address").fill("http://169.254.169.254/latest");
  await expectAccessible(page);
  await page.screenshot({ path: "test-results/webhook-dialog.png" });
  const add = dialog.getByRole("button", { name: "Add", exact: true });
  await add.click();
  await expect(dialog.getByText(/is where clouds keep/)).toBeVisible();
  await dialog.getByLabel("Address").fill(`${at}/bad`);
  await add.click();
  await expect(page.getByRole("textbox", { name: "Secret" })).toHaveValue(/^whsec_/);
  await page.getByRole("button", { name: "Done" }).click();

  await section.getByRole("button", { name: "Send a test" }).click();
  const log = section.getByRole("list", { name: "Latest messages to My chat" });
  await expect(log).toContainText("500");
  await expect(log).toContainText("the receiver failed");
  await expect(section.getByText("Failing")).toBeVisible();
  await section.getByRole("button", { name: "Edit My chat" }).click();
  const edit = page.getByRole("dialog", { name: "Edit webhook" });
  await edit.getByLabel("Address").fill(`${at}/good`);
  await edit.getByRole("button", { name: "Save" }).click();
  await expect(edit).toHaveCount(0);
  await log.getByRole("button", { name: "Send again: Test" }).click();
  await expect(log).toContainText("Delivered");
  expect(heard.every((signature) => signature.startsWith("v1,"))).toBe(true);
  await expectAccessible(page);
  await section.screenshot({ path: "test-results/webhooks.png" });
  await page.setViewportSize({ width: 390, height: 844 });
  await expectAccessible(page);
  await section.screenshot({ path: "test-results/webhooks-narrow.png" });
  await left.click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(none).toBeVisible();
  receiver.closeAllConnections();
  receiver.close();
});
