// The files of an import as they are listed: what was chosen, and what is wrong with some of it.
import type { Dropped } from "./archive";
import type { FaultyFile } from "./importing";

export interface Listed {
  files: readonly Dropped[];
  faulty: readonly FaultyFile[];
}

/**
 * Adds files. While some are faulty, what is chosen anew comes in place of what it was chosen for: of the faulty file that is called
 * so, or, when a file is chosen by itself, lies so in its folder; else of the sound one. Where that could be several, all stay.
 */
export function added({ files, faulty }: Listed, anew: readonly Dropped[]): Listed {
  if (faulty.length === 0) return { files: [...files, ...anew], faulty };
  const wrong = new Set(faulty.map(({ file }) => file));
  const names = new Set(anew.map(({ name }) => name));
  const liesSo = (listed: Dropped, name: string) =>
    !name.includes("/") && !names.has(listed.name) && listed.name.endsWith(`/${name}`);
  const gone = new Set<Dropped>();
  const placed = anew.map((file) => {
    const same = files.filter((one) => one.name === file.name && !gone.has(one));
    const mended = files.filter((one) => wrong.has(one) && (same.includes(one) || liesSo(one, file.name)));
    const [place, ...more] = mended.length > 0 ? mended : same;
    if (place === undefined || more.length > 0) return file;
    gone.add(place);
    return { ...file, name: place.name };
  });
  return {
    files: [...files.filter((one) => !gone.has(one)), ...placed],
    faulty: faulty.filter(({ file }) => !gone.has(file)),
  };
}

/** Takes a file off. */
export const without = ({ files, faulty }: Listed, gone: Dropped): Listed => ({
  files: files.filter((file) => file !== gone),
  faulty: faulty.filter(({ file }) => file !== gone),
});

/** Those that can be sent. */
export const soundOf = ({ files, faulty }: Listed): Dropped[] =>
  files.filter((file) => !faulty.some((one) => one.file === file));
