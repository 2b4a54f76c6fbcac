// What somebody chose for an import or dropped on it, out of folders, too.
import { type Chosen, isHidden } from "./archive";

/** Files that were chosen; those of a folder come with their way in it. */
export const chosenOf = (files: Iterable<File>): Chosen[] =>
  [...files].map((file) => ({
    name: file.webkitRelativePath || file.name,
    file,
    inFolder: Boolean(file.webkitRelativePath),
  }));

/** What was dropped. It has to be called before the event is over: later there is nothing in it. */
export function droppedOf(transfer: DataTransfer): Promise<Chosen[]> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  // A browser without entries has files alone.
  if (entries.length === 0) return Promise.resolve(chosenOf(transfer.files));
  return within(entries, "");
}

async function within(entries: readonly FileSystemEntry[], way: string): Promise<Chosen[]> {
  const found: Chosen[] = [];
  for (const entry of entries) {
    const name = `${way}${entry.name}`;
    // Such as `.git`, in which there is much.
    if (way !== "" && isHidden(entry.name)) continue;
    if (entry.isDirectory)
      found.push(...(await within(await listed(entry as FileSystemDirectoryEntry), `${name}/`)));
    else found.push({ name, file: await opened(entry as FileSystemFileEntry), inFolder: way !== "" });
  }
  return found;
}

const opened = (entry: FileSystemFileEntry) =>
  new Promise<File>((resolve, reject) => entry.file(resolve, reject));

/** Everything in a folder: browsers give some of it at a time, until they give nothing. */
async function listed(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return all;
    all.push(...some);
  }
}
