// @vitest-environment node
import { describe, expect, it } from "vitest";
import { readDropped, tarOf, unzip } from "./archive";

const encode = (text: string) => new Uint8Array(new TextEncoder().encode(text));
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

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
      expect(found.map(({ name, bytes }) => [name, decode(bytes)])).toEqual([
        ["hub/entries/ports.md", "# Ports"],
      ]);
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

it("what is neither Markdown nor a zip is refused by its name", async () => {
  await expect(readDropped([new File(["x"], "notes.docx")])).rejects.toThrow("notes.docx");
  const files = await readDropped([
    new File(["# A"], "a.md"),
    new File([await zipOf({ "b.md": "# B" })], "b.zip"),
  ]);
  expect(files.map((file) => file.name)).toEqual(["a.md", "b.md"]);
});
