// @vitest-environment node
import { expect, it } from "vitest";
import type { Dropped } from "./archive";
import { added, type Listed, soundOf } from "./listed";

const file = (name: string, text = "as it was"): Dropped => ({
  name,
  bytes: new Uint8Array(new TextEncoder().encode(text)),
});
const mended = (name: string) => file(name, "mended");
const listed = (...files: [name: string, faulty?: "faulty"][]): Listed => {
  const all = files.map(([name, faulty]) => ({ file: file(name), faulty }));
  return {
    files: all.map(({ file }) => file),
    faulty: all.filter(({ faulty }) => faulty).map(({ file }) => ({ file, why: "its kind" })),
  };
};
const told = ({ files, faulty }: Listed) =>
  files.map(
    (one) =>
      `${one.name}: ${new TextDecoder().decode(one.bytes)}${faulty.some(({ file }) => file === one) ? ", faulty" : ""}`,
  );

it("lists a folder that is chosen again once, the sound files of it, too", () => {
  const before = listed(["notes/a.md", "faulty"], ["notes/b.md"], ["other.md"]);
  const after = added(before, [mended("notes/a.md"), mended("notes/b.md")]);
  expect(told(after)).toEqual(["other.md: as it was", "notes/a.md: mended", "notes/b.md: mended"]);
  expect(soundOf(after)).toHaveLength(3);
});

it("puts a mended file that is chosen by itself in place of the faulty one of its folder", () => {
  const before = listed(["notes/a.md", "faulty"], ["more/b.md", "faulty"], ["a.md"]);
  const after = added(before, [mended("a.md")]);
  // A sound one that is called like it is another file.
  expect(told(after)).toEqual(["more/b.md: as it was, faulty", "a.md: as it was", "notes/a.md: mended"]);
  // So that the folder can still be chosen once more.
  expect(told(added(after, [mended("notes/a.md"), mended("more/b.md"), mended("b.md")]))).toEqual([
    "a.md: as it was",
    "notes/a.md: mended",
    "more/b.md: mended",
    "b.md: mended",
  ]);
});

it("takes nothing off where it could be meant for several", () => {
  const twice = listed(["a.md", "faulty"], ["a.md", "faulty"]);
  expect(told(added(twice, [mended("a.md")]))).toHaveLength(3);
  const apart = listed(["one/a.md", "faulty"], ["two/a.md", "faulty"]);
  expect(told(added(apart, [mended("a.md")]))).toHaveLength(3);
  // A file of one name that lies elsewhere is another, and so is any while nothing is faulty.
  expect(told(added(listed(["x/a.md", "faulty"]), [mended("y/a.md")]))).toHaveLength(2);
  expect(told(added(listed(["a.md"]), [mended("a.md")]))).toHaveLength(2);
});
