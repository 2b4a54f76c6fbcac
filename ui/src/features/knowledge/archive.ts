// Files for an import: what was chosen becomes one archive, which the server reads. A zip is taken apart here, since the server
// takes nothing that is compressed; so is a tar, so that one sees what is in it, and can send a part of it once more.

/** A Markdown file on its way into the hub. */
export interface Dropped {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** What is in an archive: Markdown files, and the names of others, which are passed over. */
export interface Taken {
  files: Dropped[];
  others: string[];
}

/** Something that was chosen, with its way where it lies in a folder. */
export interface Chosen {
  name: string;
  file: Blob;
  inFolder: boolean;
}

/** Bytes of an archive at most, and how many files: the server's own bounds. More is sent in parts. */
const PART_BYTES = 32 * 1024 * 1024;
const PART_FILES = 1_000;
/** Bytes of all files together that a page holds. */
const MOST_BYTES = 256 * 1024 * 1024;
const BLOCK = 512;

const MARKDOWN = /\.(md|markdown)$/i;

const bad = (problem: string) => new Error(problem);

/** Whether a file, or a folder on the way to it, is hidden, such as what a Mac puts beside each file. */
export const isHidden = (name: string): boolean =>
  name.split("/").some((part) => /^\.[^.]/.test(part) || part === "__MACOSX");

/** Adds up what was read, and ends it when it becomes too much: a small zip can hold very much. */
function bound() {
  let bytes = 0;
  return (size: number) => {
    bytes += size;
    if (size > PART_BYTES) throw bad("One of the files is too large for an item.");
    if (bytes > MOST_BYTES) throw bad("That is too much at once. Import it in several parts.");
  };
}

/** The name of a file within an archive: ours, short and plain, and each once. The server knows `.md` alone. */
const inner = (name: string, at: number) =>
  `${String(at + 1).padStart(5, "0")}-${name
    .replace(/^.*[\\/]/, "")
    .replace(MARKDOWN, "")
    .replace(/[^\w.-]+/g, "-")
    .slice(-60)}.md`;

/** The sum of a tar's header, in which the place of the sum itself counts as blanks. */
const sumOf = (header: Uint8Array) =>
  header.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);

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
    put(156, "0");
    put(257, "ustar\x0000");
    put(148, `${sumOf(header).toString(8).padStart(6, "0")}\0 `);
    const rest = (BLOCK - (file.bytes.length % BLOCK)) % BLOCK;
    parts.push(header, file.bytes, new Uint8Array(rest));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts, { type: "application/x-tar" });
}

/** Files in parts, of which each makes an archive that the server takes. */
export function partsOf(files: readonly Dropped[]): Dropped[][] {
  const parts: Dropped[][] = [];
  let bytes = 0;
  for (const file of files) {
    const size = BLOCK + Math.ceil(file.bytes.length / BLOCK) * BLOCK;
    const part = parts.at(-1);
    if (part === undefined || part.length === PART_FILES || bytes + size > PART_BYTES) {
      parts.push([file]);
      bytes = 2 * BLOCK + size;
    } else {
      part.push(file);
      bytes += size;
    }
  }
  return parts;
}

/** The file that has this name in the archive of these files. */
export const namedIn = (files: readonly Dropped[], name: string): Dropped | undefined =>
  files[Number(name.slice(0, 5)) - 1];

/** Takes a file of an archive or a folder, if it is one for the hub, and its name otherwise. */
function take(taken: Taken, name: string, bytes: Uint8Array<ArrayBuffer>, count: (size: number) => void) {
  if (isHidden(name)) return;
  if (!MARKDOWN.test(name)) {
    taken.others.push(name);
    return;
  }
  count(bytes.length);
  taken.files.push({ name, bytes });
}

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
/** A text in a place that is longer than it. */
const upToNothing = (bytes: Uint8Array) => decode(bytes).split("\0")[0] ?? "";

/** What is in a tar: as an export writes it, or an archiver that has another way to note long names. */
export function untar(tar: Uint8Array<ArrayBuffer>, count = bound()): Taken {
  const broken = () => bad("The tar is cut off, or compressed, or no tar at all.");
  const taken: Taken = { files: [], others: [] };
  // The name of the next file, where it has no room in that file's header.
  let noted: string | undefined;
  for (let at = 0; at < tar.length; ) {
    const header = tar.subarray(at, at + BLOCK);
    if (header.length === BLOCK && header.every((byte) => byte === 0)) break;
    const octal = (from: number, size: number) =>
      Number.parseInt(upToNothing(header.subarray(from, from + size)), 8);
    if (header.length < BLOCK || octal(148, 8) !== sumOf(header)) throw broken();
    const size = octal(124, 12);
    const body = tar.subarray(at + BLOCK, at + BLOCK + size);
    if (body.length !== size) throw broken();
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    const kind = String.fromCharCode(header[156] ?? 0);
    if (kind === "L") noted = upToNothing(body);
    else if (kind === "x") noted = pathIn(body) ?? noted;
    // What is noted of all files, and the target of a link.
    else if (kind !== "g" && kind !== "K") {
      const name = noted ?? nameIn(header);
      noted = undefined;
      if (kind === "0" || kind === "\0") take(taken, name, body, count);
      else if (kind !== "5") throw bad(`${name} is neither a file nor a folder.`);
    }
  }
  return taken;
}

/** The name in a header, with what POSIX puts before it where it is long. GNU keeps other things in that place. */
function nameIn(header: Uint8Array): string {
  const name = upToNothing(header.subarray(0, 100));
  const before =
    decode(header.subarray(257, 263)) === "ustar\0" ? upToNothing(header.subarray(345, 500)) : "";
  return before === "" ? name : `${before}/${name}`;
}

/** The path that a note of POSIX says of the next file: `LENGTH path=VALUE` among others, each in a line, counted in bytes. */
function pathIn(note: Uint8Array): string | undefined {
  let path: string | undefined;
  for (let at = 0; at < note.length; ) {
    const size = Number.parseInt(decode(note.subarray(at, at + 20)), 10);
    if (!(size > 0)) break;
    const value = /^\d+ path=([\s\S]*)\n$/.exec(decode(note.subarray(at, at + size)))?.[1];
    path = value ?? path;
    at += size;
  }
  return path;
}

/** What is in a zip. */
export async function unzip(zip: Uint8Array<ArrayBuffer>, count = bound()): Promise<Taken> {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const broken = () => bad("The zip is broken, or of a kind that cannot be read here.");
  let end = zip.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw broken();
  const taken: Taken = { files: [], others: [] };
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
      const name = decode(zip.subarray(at + 46, at + 46 + nameSize));
      at += 46 + nameSize + extra + comment;
      if (name.endsWith("/")) continue;
      // What is passed over need not be unpacked.
      if (!MARKDOWN.test(name) || isHidden(name)) {
        take(taken, name, new Uint8Array(), count);
        continue;
      }
      const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      const body = zip.subarray(begin, begin + packed);
      if (body.length !== packed || (method !== 0 && method !== 8)) throw broken();
      take(taken, name, method === 0 ? body : await inflate(body), count);
    }
  } catch (cause) {
    throw cause instanceof RangeError ? broken() : cause;
  }
  return taken;
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
    if (size > PART_BYTES) {
      await reader.cancel();
      throw bad("A file in the zip is too large.");
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/**
 * Reads what was chosen or dropped: Markdown files, archives of them, and folders. What else lies in a folder or an archive is
 * passed over; what somebody chose by itself is refused by its name.
 */
export async function readChosen(chosen: Iterable<Chosen>): Promise<Taken> {
  const count = bound();
  const taken: Taken = { files: [], others: [] };
  const bytesOf = async (file: Blob) => new Uint8Array(await file.arrayBuffer());
  for (const { name, file, inFolder } of chosen) {
    if (MARKDOWN.test(name) && !isHidden(name)) take(taken, name, await bytesOf(file), count);
    else if (inFolder) take(taken, name, new Uint8Array(), count);
    else {
      const read = /\.zip$/i.test(name) ? unzip : /\.tar$/i.test(name) ? untar : undefined;
      if (read === undefined)
        throw bad(`${name} is neither a Markdown file nor an archive (.tar, .zip) of such files.`);
      const { files, others } = await read(await bytesOf(file), count);
      taken.files.push(...files);
      taken.others.push(...others);
    }
  }
  return taken;
}
