// @vitest-environment node
import { describe, expect, it } from "vitest";
import { type Dropped, partsOf, readChosen, tarOf, untar, unzip } from "./archive";
import { chosenOf, droppedOf } from "./chosen";

const encode = (text: string) => new Uint8Array(new TextEncoder().encode(text));
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const told = (files: readonly Dropped[]) => files.map(({ name, bytes }) => [name, decode(bytes)]);

/** Joins and, if asked, packs. */
async function bytesOf(parts: Uint8Array<ArrayBuffer>[], packed = false): Promise<Uint8Array<ArrayBuffer>> {
  const blob = new Blob(parts);
  if (!packed) return new Uint8Array(await blob.arrayBuffer());
  const stream = blob.stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A zip as an archiver writes it: each file, then the list of them, then where the list is. */
async function zipOf(files: Record<string, string>, packed = true): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const list: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  for (const [name, text] of Object.entries(files)) {
    const body = await bytesOf([encode(text)], packed);
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    local.setUint16(26, name.length, true);
    const entry = new DataView(new ArrayBuffer(46));
    entry.setUint32(0, 0x02014b50, true);
    entry.setUint16(10, packed ? 8 : 0, true);
    entry.setUint32(20, body.length, true);
    entry.setUint16(28, name.length, true);
    entry.setUint32(42, at, true);
    parts.push(new Uint8Array(local.buffer), encode(name), body);
    list.push(new Uint8Array(entry.buffer), encode(name));
    at += 30 + name.length + body.length;
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, Object.keys(files).length, true);
  end.setUint32(16, at, true);
  return bytesOf([...parts, ...list, new Uint8Array(end.buffer)]);
}

describe("a zip", () => {
  it("gives its Markdown files, packed or not, and nothing else", async () => {
    const files = {
      "hub/entries/ports.md": "# Ports",
      "hub/picture.png": "x",
      "__MACOSX/hub/._ports.md": "y",
    };
    for (const packed of [true, false]) {
      const found = await unzip(await zipOf(files, packed));
      expect(told(found.files)).toEqual([["hub/entries/ports.md", "# Ports"]]);
      expect(found.others).toEqual(["hub/picture.png"]);
    }
  });

  it("that holds very much is not unpacked", async () => {
    const zip = await zipOf({ "bomb.md": "a".repeat(33 * 1024 * 1024) });
    expect(zip.length).toBeLessThan(100_000);
    await expect(unzip(zip)).rejects.toThrow("too large");
  });

  it("that is broken is said to be", async () => {
    await expect(unzip(encode("no zip at all, but long enough"))).rejects.toThrow("broken");
    const cut = await zipOf({ "a.md": "# A" });
    cut[cut.length - 6] = 0xff;
    await expect(unzip(cut)).rejects.toThrow("broken");
  });
});

it("files become an archive that every tar reads", async () => {
  const bytes = new Uint8Array(
    await tarOf([
      { name: "C:\\hub\\Über uns.md", bytes: encode("# Us") },
      { name: "empty.md", bytes: encode("") },
    ]).arrayBuffer(),
  );
  expect(bytes.length).toBe(512 * 5);
  expect(decode(bytes.subarray(0, 100)).replace(/\0+$/, "")).toBe("00001--ber-uns.md");
  expect(decode(bytes.subarray(124, 135))).toBe("00000000004");
  expect(decode(bytes.subarray(512, 516))).toBe("# Us");
  const sum = bytes.subarray(0, 512).reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 32 : byte), 0);
  expect(Number.parseInt(decode(bytes.subarray(148, 154)), 8)).toBe(sum);
});

/** A part of a tar as an archiver writes it. */
function part(kind: string, name: string, body: string, change: (header: Uint8Array) => void = () => {}) {
  const bytes = encode(body);
  const whole = new Uint8Array(512 + Math.ceil(bytes.length / 512) * 512);
  const put = (place: number, text: string) => whole.set(encode(text), place);
  put(0, name.slice(0, 100));
  put(124, `${bytes.length.toString(8).padStart(11, "0")}\0`);
  put(156, kind);
  put(257, "ustar\x0000");
  change(whole);
  const sum = whole.subarray(0, 512).reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 32 : byte), 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  whole.set(bytes, 512);
  return whole;
}

describe("a tar", () => {
  it("gives its Markdown files with their whole names, however an archiver notes them", async () => {
    const long = `knowledge/learnings/${"a-rather-long-title-".repeat(6)}.md`;
    const path = (name: string) => {
      const size = ` path=${name}\n`.length + 3;
      return `20 mtime=1700000000\n${size} path=${name}\n`;
    };
    const gnu = (header: Uint8Array) => {
      header.set(encode("ustar  \0"), 257);
      header.set(encode("14712345670\0"), 345);
    };
    const tar = await bytesOf([
      part("g", "pax_global_header", "19 comment=nothing\n"),
      part("5", "knowledge/", ""),
      part("L", "././@LongLink", `${long}\0`, gnu),
      part("0", long, "gnu", gnu),
      part("0", "short.md", "gnu", gnu),
      part("x", "PaxHeaders/x", path(long)),
      part("0", long, "pax"),
      part("0", "b.md", "posix", (header) => header.set(encode("the/way"), 345)),
      part("0", "picture.png", "x"),
      part("0", "._b.md", "x"),
      part("0", ".git/c.md", "x"),
      new Uint8Array(1024),
      encode("what comes after the end"),
    ]);
    const found = untar(tar);
    expect(told(found.files)).toEqual([
      [long, "gnu"],
      ["short.md", "gnu"],
      [long, "pax"],
      ["the/way/b.md", "posix"],
    ]);
    expect(found.others).toEqual(["picture.png"]);
  });

  it("comes back as it was made", async () => {
    const made = tarOf([{ name: "deep/Notes.markdown", bytes: encode("# N") }]);
    expect(told(untar(new Uint8Array(await made.arrayBuffer())).files)).toEqual([["00001-Notes.md", "# N"]]);
  });

  it("that is none, cut off, or holds links is refused", () => {
    expect(() => untar(encode("no tar"))).toThrow("no tar");
    expect(() => untar(part("0", "a.md", "x".repeat(600)).subarray(0, 1_000))).toThrow("cut off");
    expect(() => untar(part("2", "link.md", ""))).toThrow("link.md");
  });
});

it("more than the server takes at once goes in parts", () => {
  const files = Array.from({ length: 2_001 }, (_, n) => ({ name: `${n}.md`, bytes: encode("x") }));
  expect(partsOf(files).map((part) => part.length)).toEqual([1_000, 1_000, 1]);
  const large = { name: "a.md", bytes: new Uint8Array(20 * 1024 * 1024) };
  expect(partsOf([large, large, files[0] as Dropped]).map((part) => part.length)).toEqual([1, 2]);
});

it("what was chosen by itself is refused by its name, what lies in a folder or an archive is passed over", async () => {
  await expect(readChosen(chosenOf([new File(["x"], "notes.docx")]))).rejects.toThrow("notes.docx");
  const inFolder = (name: string) => ({ name: `hub/${name}`, file: new Blob([`# ${name}`]), inFolder: true });
  const { files, others } = await readChosen([
    ...chosenOf([
      new File(["# A"], "a.md"),
      new File([await zipOf({ "b.md": "# B", "c.txt": "x" })], "b.zip"),
      new File([tarOf([{ name: "d.md", bytes: encode("# D") }])], "d.tar"),
    ]),
    ...["e.markdown", "f.png", "._e.md"].map(inFolder),
  ]);
  expect(files.map((file) => file.name)).toEqual(["a.md", "b.md", "00001-d.md", "hub/e.markdown"]);
  expect(others).toEqual(["c.txt", "hub/f.png"]);
});

it("a folder that is dropped gives all that is in it", async () => {
  const file = (name: string) => ({
    name,
    isDirectory: false,
    file: (done: (file: File) => void) => done(new File(["x"], name)),
  });
  const folder = (name: string, entries: object[]) => ({
    name,
    isDirectory: true,
    // Some at a time, and then none.
    createReader: () => {
      const left = [...entries];
      return { readEntries: (done: (some: object[]) => void) => done(left.splice(0, 1)) };
    },
  });
  const entries = [
    folder("hub", [file("a.md"), folder("deep", [file("b.md")]), folder(".git", [file("c.md")])]),
    file("d.md"),
  ];
  const items = entries.map((entry) => ({ webkitGetAsEntry: () => entry }));
  const found = await droppedOf({ items, files: [] } as unknown as DataTransfer);
  expect(found.map(({ name, inFolder }) => [name, inFolder])).toEqual([
    ["hub/a.md", true],
    ["hub/deep/b.md", true],
    ["d.md", false],
  ]);
});
