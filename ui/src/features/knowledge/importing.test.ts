// @vitest-environment node
import { expect, it } from "vitest";
import { ApiError } from "@/api/error";
import { type Dropped, untar } from "./archive";
import { Faulty, importing } from "./importing";
import type { ImportReport } from "./types";

const NOTHING: ImportReport = {
  created: [],
  updated: [],
  unchanged: [],
  skipped: [],
  failed: [],
  ignored: [],
  unrelated: [],
};
const item = { id: "0199c1a0-0000-7000-8000-000000000001", kind: "entry" as const, title: "Ports" };
const files = (count: number): Dropped[] =>
  Array.from({ length: count }, (_, n) => ({
    name: `${n}.md`,
    bytes: new Uint8Array(new TextEncoder().encode(`${n}`)),
  }));
const namesIn = async (archive: Blob) =>
  untar(new Uint8Array(await archive.arrayBuffer())).files.map(({ name }) => name);
async function last<T>(all: AsyncIterable<T>): Promise<T | undefined> {
  let found: T | undefined;
  for await (const one of all) found = one;
  return found;
}

it("sends in parts, and what names items of a later part once more", async () => {
  const sent: [number, boolean][] = [];
  const done = await last(
    importing(files(1_500), true, async (archive, anyway) => {
      const names = await namesIn(archive);
      sent.push([names.length, anyway]);
      const unrelated = (...of: string[]) => of.map((file) => ({ file, related: [item.id] }));
      if (sent.length === 1)
        return {
          ...NOTHING,
          created: names.map(() => item),
          unrelated: unrelated("00003-2.md", "00004-3.md"),
        };
      if (sent.length === 2) return { ...NOTHING, created: names.map(() => item) };
      return { ...NOTHING, updated: [item], unrelated: unrelated("00002-3.md") };
    }),
  );
  expect(sent).toEqual([
    [1_000, true],
    [500, true],
    [2, false],
  ]);
  expect([done?.created, done?.updated, done?.left.length]).toEqual([1_500, 0, 0]);
  expect(done?.unrelated.map(({ name }) => name)).toEqual(["3.md"]);
});

it("tells of each part before the next is sent, so that a failure takes nothing back", async () => {
  let times = 0;
  const parts = importing(files(1_002), false, async () => {
    times += 1;
    if (times === 2) throw new Error("away");
    const skipped = [{ file: "00002-1.md", similar: [{ ...item, likeness: 0.9 }] }];
    return { ...NOTHING, created: Array.from({ length: 999 }, () => item), skipped };
  });
  const first = await parts.next();
  expect(first.value?.left.map(({ name }: Dropped) => name)).toEqual(["1000.md", "1001.md"]);
  expect(first.value?.skipped.map(({ file }: { file: Dropped }) => file.name)).toEqual(["1.md"]);
  await expect(parts.next()).rejects.toThrow("away");
});

it("tells of every faulty file by its own name", async () => {
  const faulty = [
    { file: "00002-1.md", why: "tags: write a list of words" },
    { file: "00004-3.md", why: "the file is no UTF-8 text" },
  ];
  const refused = new ApiError({
    status: 422,
    code: "invalid",
    detail: "Files are faulty.",
    extras: { faulty },
  });
  const thrown = await last(importing(files(5), false, () => Promise.reject(refused))).catch(
    (cause) => cause,
  );
  expect(thrown).toBeInstanceOf(Faulty);
  expect((thrown as Faulty).files.map(({ file, why }) => [file.name, why])).toEqual([
    ["1.md", "tags: write a list of words"],
    ["3.md", "the file is no UTF-8 text"],
  ]);
  // Another problem stays what it is.
  const away = new ApiError({ status: 0, code: "offline", detail: "Away." });
  await expect(last(importing(files(1), false, () => Promise.reject(away)))).rejects.toBe(away);
});
