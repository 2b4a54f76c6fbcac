// Bringing files in: what the server takes at once, one part after the other.
import { ApiError } from "@/api/error";
import { type Dropped, namedIn, partsOf, tarOf } from "./archive";
import type { ImportReport, Similar } from "./types";

/** What came of an import so far. */
export interface Imported {
  created: number;
  updated: number;
  unchanged: number;
  /** Passed over, because the hub says much the same. */
  skipped: { file: Dropped; similar: Similar[] }[];
  failed: { file: Dropped; why: string }[];
  /** They came in without some of what they name as related. */
  unrelated: Dropped[];
  /** They are yet to be sent. */
  left: Dropped[];
}

/** A file that cannot come in, and why. */
export interface FaultyFile {
  file: Dropped;
  why: string;
}

/** Some files are faulty, so that none of those that were sent with them came in. */
export class Faulty extends Error {
  readonly files: FaultyFile[];

  constructor(files: FaultyFile[]) {
    super(`${files.length} faulty`);
    this.files = files;
  }
}

type Send = (archive: Blob, anyway: boolean) => Promise<ImportReport>;

/** Sends files, and tells after each part what came of all so far. */
export async function* importing(
  files: readonly Dropped[],
  anyway: boolean,
  send: Send,
): AsyncGenerator<Imported> {
  const parts = partsOf(files);
  let done: Imported = {
    created: 0,
    updated: 0,
    unchanged: 0,
    skipped: [],
    failed: [],
    unrelated: [],
    left: [...files],
  };
  for (const [at, part] of parts.entries()) {
    const report = await sent(part, anyway, send);
    done = {
      created: done.created + report.created.length,
      updated: done.updated + report.updated.length,
      unchanged: done.unchanged + report.unchanged.length,
      skipped: [...done.skipped, ...named(part, report.skipped)],
      failed: [...done.failed, ...named(part, report.failed)],
      unrelated: [...done.unrelated, ...named(part, report.unrelated).map(({ file }) => file)],
      left: parts.slice(at + 1).flat(),
    };
    yield done;
  }
  if (parts.length < 2) return;
  // What they name came in a later part. Not anyway: what could not keep its id would be written twice.
  for (const part of partsOf(done.unrelated)) {
    const report = await send(tarOf(part), false);
    const lacking: { file: string }[] = [...report.unrelated, ...report.skipped, ...report.failed];
    const still = named(part, lacking).map(({ file }) => file);
    done = {
      ...done,
      unrelated: done.unrelated.filter((file) => !part.includes(file) || still.includes(file)),
    };
    yield done;
  }
}

/** Sends a part; what the server has against its files is told of them by their own names. */
async function sent(part: readonly Dropped[], anyway: boolean, send: Send): Promise<ImportReport> {
  try {
    return await send(tarOf(part), anyway);
  } catch (cause) {
    const told = cause instanceof ApiError ? cause.extras.faulty : undefined;
    const faulty = Array.isArray(told) ? named(part, told as { file: string; why: string }[]) : [];
    throw faulty.length === 0 ? cause : new Faulty(faulty);
  }
}

/** What is told of files, with the files. */
const named = <T extends { file: string }>(
  part: readonly Dropped[],
  told: readonly T[],
): (Omit<T, "file"> & { file: Dropped })[] =>
  told.flatMap((one) => {
    const file = namedIn(part, one.file);
    return file === undefined ? [] : [{ ...one, file }];
  });
