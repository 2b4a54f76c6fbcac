import type { NodeNow } from "@/api/types";
import { show } from "./show";
import { words } from "./strings";

type Reading = Pick<NodeNow["reading"], "disk" | "disks">;

/** The disks of a server, each with how full it is: by its bytes, or by the files that it can hold where those are fewer. */
export function disksOf({ disk, disks }: Reading): { name: string; share: number | null; text: string }[] {
  // What an earlier version told names none.
  if (!disks || disks.length === 0) {
    const share = disk && disk.total > 0 ? disk.used / disk.total : null;
    const text = disk ? words.of(show(disk.used, "bytes"), show(disk.total, "bytes")) : words.unknown;
    return [{ name: words.disk, share, text }];
  }
  return disks.map(({ holds, path, bytes, files }) => {
    const share = bytes.total > 0 ? bytes.used / bytes.total : 0;
    const ofFiles = files && files.total > 0 ? files.used / files.total : 0;
    const text =
      ofFiles > share && files
        ? words.ofFiles(show(files.used, "count"), show(files.total, "count"))
        : words.of(show(bytes.used, "bytes"), show(bytes.total, "bytes"));
    const name =
      disks.length === 1
        ? words.disk
        : words.diskOf(
            holds.map((role) => words.holds[role]),
            path,
          );
    return { name, share: Math.max(share, ofFiles), text };
  });
}
