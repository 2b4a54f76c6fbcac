import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { ApiError } from "@/api/error";
import ImportDialog from "./import-dialog";
import type { ImportReport } from "./types";

const answer = vi.hoisted((): { now: () => ImportReport } => ({ now: () => ({}) as ImportReport }));
vi.mock("./calls", () => ({ hub: { import: async () => answer.now() } }));

const NOTHING: ImportReport = {
  created: [],
  updated: [],
  unchanged: [],
  skipped: [],
  failed: [],
  ignored: [],
  unrelated: [],
};

function show(count: number) {
  render(<ImportDialog open onOpenChange={() => {}} />);
  const dialog = within(screen.getByRole("dialog"));
  const files = Array.from({ length: count }, (_, n) => new File([`${n}`], `${n}.md`));
  fireEvent.change(dialog.getByLabelText("Choose files", { selector: "input" }), { target: { files } });
  return dialog;
}

it("does not say that nothing came in when files of a later part are faulty", async () => {
  const refused = (...faulty: { file: string; why: string }[]) =>
    new ApiError({ status: 422, code: "invalid", detail: "Files are faulty.", extras: { faulty } });
  const kind = { file: "00001-x.md", why: "its kind" };
  let parts = 0;
  answer.now = () => {
    parts += 1;
    if (parts === 1) return NOTHING;
    throw refused(kind, { ...kind, file: "00002-x.md" });
  };
  const dialog = show(1_002);
  fireEvent.click(await dialog.findByText("Import 1,002 files"));
  // Among many rows, to look by role takes long.
  const alert = () => document.querySelector("[role=alert]")?.textContent;
  await waitFor(() => expect(alert()).toMatch(/^Nothing more came in, because 2 files are faulty/));
  // Nor when one of them was chosen anew.
  const mended = new File(["mended"], "1000.md");
  fireEvent.change(dialog.getByLabelText("Choose files", { selector: "input" }), {
    target: { files: [mended] },
  });
  await waitFor(() => expect(alert()).toMatch(/^Nothing more came in, because a file is faulty/));
  // Without a part before them it is true.
  answer.now = () => {
    throw refused(kind);
  };
  fireEvent.click(dialog.getByText("Import the other file"));
  await waitFor(() => expect(alert()).toMatch(/^Nothing came in, because a file is faulty/));
});

it.each(["Take 0.md off the list", "Clear"])("leads on to choosing others after %s", async (name) => {
  const dialog = show(1);
  const button = await dialog.findByRole("button", { name });
  button.focus();
  fireEvent.click(button);
  await waitFor(() =>
    expect(document.activeElement).toBe(dialog.getByRole("button", { name: "Choose files" })),
  );
});
