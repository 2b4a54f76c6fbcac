// Files for an import: what was dropped becomes one archive, which the server reads. A zip is taken apart here, since the server
// takes nothing that is compressed.

/** A Markdown file on its way into the hub. */
export interface Dropped {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Bytes of all files together at most, and of one, and how many files: the server's own bounds. */
const MOST_BYTES = 32 * 1024 * 1024;
const MOST_FILES = 1_000;
const BLOCK = 512;

const bad = (problem: string) => new Error(problem);

/** Adds up what was read, and ends it when it becomes too much: a small zip can hold very much. */
function bound() {
  let [bytes, files] = [0, 0];
  return (size: number) => {
    bytes += size;
    files += 1;
    if (bytes > MOST_BYTES || files > MOST_FILES)
      throw bad("That is too much at once. Import it in several parts.");
  };
}

/** The name of a file within an archive: ours, short and plain, and each once. */
const inner = (name: string, at: number) =>
  `${String(at + 1).padStart(5, "0")}-${name
    .replace(/^.*[\\/]/, "")
    .replace(/[^\w.-]+/g, "-")
    .slice(-60)}`;

/** Puts files into a tar archive (POSIX ustar). */
export function tarOf(files: readonly Dropped[]): Blob {
  const parts: BlobPart[] = [];
  for (const [at, file] of files.entries()) {
    const header = new Uint8Array(BLOCK);
    const put = (place: number, text: string) => header.set(new TextEncoder().encode(text), place);
    put(0, inner(file.name, at));
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, `${file.bytes.length.toString(8).padStart(11, "0")}\0`);
    put(136, "00000000000\0");
    // The place of the sum counts as blanks while the sum is made.
    put(148, " ".repeat(8));
    put(156, "0");
    put(257, "ustar\x0000");
    const sum = header.reduce((total, byte) => total + byte, 0);
    put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
    const rest = (BLOCK - (file.bytes.length % BLOCK)) % BLOCK;
    parts.push(header, file.bytes, new Uint8Array(rest));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts, { type: "application/x-tar" });
}

/** A name within an archive as people know it. */
export const plainName = (name: string): string => name.replace(/^\d{5}-/, "");

/** The file that has this name in the archive of these files. */
export const namedIn = (files: readonly Dropped[], name: string): Dropped | undefined =>
  files[Number(name.slice(0, 5)) - 1];

const isMarkdown = (name: string) => /\.(md|markdown)$/i.test(name) && !/(^|\/)(__MACOSX|\.)/.test(name);

/** The Markdown files in a zip. */
export async function unzip(zip: Uint8Array<ArrayBuffer>, count = bound()): Promise<Dropped[]> {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const broken = () => bad("The zip is broken, or of a kind that cannot be read here.");
  let end = zip.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw broken();
  const files: Dropped[] = [];
  try {
    let at = view.getUint32(end + 16, true);
    for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
      if (view.getUint32(at, true) !== 0x02014b50) throw broken();
      const [method, packed] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)];
      const [nameSize, extra, comment] = [28, 30, 32].map((place) => view.getUint16(at + place, true)) as [
        number,
        number,
        number,
      ];
      const local = view.getUint32(at + 42, true);
      const name = new TextDecoder().decode(zip.subarray(at + 46, at + 46 + nameSize));
      at += 46 + nameSize + extra + comment;
      if (!isMarkdown(name)) continue;
      const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      const body = zip.subarray(begin, begin + packed);
      if (body.length !== packed || (method !== 0 && method !== 8)) throw broken();
      files.push({ name, bytes: method === 0 ? body : await inflate(body) });
      count(files.at(-1)?.bytes.length ?? 0);
    }
  } catch (cause) {
    throw cause instanceof RangeError ? broken() : cause;
  }
  return files;
}

/** Unpacks, and stops at once when more comes out than is taken. */
async function inflate(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > MOST_BYTES) {
      await reader.cancel();
      throw bad("A file in the zip is too large.");
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** Reads what was chosen or dropped: Markdown files, and zips of them. */
export async function readDropped(chosen: Iterable<File>): Promise<Dropped[]> {
  const count = bound();
  const files: Dropped[] = [];
  for (const file of chosen) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (/\.zip$/i.test(file.name)) files.push(...(await unzip(bytes, count)));
    else if (isMarkdown(file.name)) {
      count(bytes.length);
      files.push({ name: file.name, bytes });
    } else throw bad(`${file.name} is neither a Markdown file nor a zip of such files.`);
  }
  return files;
}
