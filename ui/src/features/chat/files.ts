import type { MessageFile } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { IMAGE_BYTES } from "@/features/editor/draft";
import { acceptFiles } from "@/features/editor/files";
import { ownKey } from "@/lib/persistent";
import { createStore, type Store } from "@/lib/store";
import { s } from "./strings";

/** Files of one message at most, and bytes of them together. */
export const MOST = 8;
const TOGETHER = 10 * 1024 * 1024;

/** Those of the files that can come with a message beside what is there, and why the others cannot. */
export function admit(
  there: readonly File[],
  incoming: readonly File[],
): { files: File[]; refused: string[] } {
  const files: File[] = [];
  const refused: string[] = [];
  let bytes = there.reduce((sum, file) => sum + file.size, 0);
  for (const file of incoming) {
    if (there.length + files.length >= MOST) refused.push(s.files.tooMany(file.name, MOST));
    else if (file.type.startsWith("image/") && file.size > IMAGE_BYTES)
      refused.push(s.files.tooLarge(file.name));
    else if (bytes + file.size > TOGETHER) refused.push(s.files.tooMuch(file.name));
    else {
      bytes += file.size;
      files.push(file);
    }
  }
  return { files, refused };
}

const boxes = new Map<string, Store<readonly File[]>>();

/** The files that wait for what is written in a chat, or for the first message of a new one: as long as the page lasts. */
function filesOf(chat: string) {
  const key = ownKey(chat);
  const box = boxes.get(key) ?? createStore<readonly File[]>([]);
  boxes.set(key, box);
  return box;
}

/** Takes away what was sent, whatever is shown by now. */
export function dropFiles(chat: string, gone: readonly File[]) {
  filesOf(chat).set((now) => now.filter((file) => !gone.includes(file)));
}

/** The files that go with what is being written; they are sent with it. */
export function useFiles(chat: string) {
  const box = filesOf(chat);
  return {
    files: box.use(),
    add: (incoming: Iterable<File>) => {
      const admitted = admit(box.get(), acceptFiles(incoming));
      for (const why of admitted.refused) toast.done(why);
      if (admitted.files.length > 0) box.set((now) => [...now, ...admitted.files]);
    },
    remove: (gone: readonly File[]) => dropFiles(chat, gone),
  };
}

/** Files as they are sent. */
export async function encoded(files: readonly File[]): Promise<MessageFile[]> {
  return Promise.all(files.map(async (file) => ({ name: file.name, data: await base64(file) })));
}

function base64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    // What comes before the comma says what the browser takes it for.
    reader.onload = () => resolve(String(reader.result).split(",", 2)[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
