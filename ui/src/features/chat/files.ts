import { useState } from "react";
import type { MessageFile } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { acceptFiles } from "@/features/editor/files";
import { s } from "./strings";

/** Files of one message at most, bytes of them together, and bytes of an image. */
export const MOST = 8;
const TOGETHER = 10 * 1024 * 1024;
const IMAGE = 3_932_160;

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
    else if (file.type.startsWith("image/") && file.size > IMAGE) refused.push(s.files.tooLarge(file.name));
    else if (bytes + file.size > TOGETHER) refused.push(s.files.tooMuch(file.name));
    else {
      bytes += file.size;
      files.push(file);
    }
  }
  return { files, refused };
}

/** The files that go with what is being written; they are sent with it. */
export function useFiles() {
  const [files, setFiles] = useState<File[]>([]);
  return {
    files,
    add: (incoming: Iterable<File>) => {
      const admitted = admit(files, acceptFiles(incoming));
      for (const why of admitted.refused) toast.done(why);
      if (admitted.files.length > 0) setFiles([...files, ...admitted.files]);
    },
    remove: (gone: readonly File[]) => setFiles((now) => now.filter((file) => !gone.includes(file))),
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
