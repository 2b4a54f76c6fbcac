/** The keys of the hub in the query cache. */
export const hubKeys = {
  /** Everything that any change can make stale. */
  lists: ["knowledge", "lists"] as const,
  search: ["knowledge", "lists", "search"] as const,
  deleted: ["knowledge", "lists", "deleted"] as const,
  queue: ["knowledge", "lists", "queue"] as const,
  similar: ["knowledge", "lists", "similar"] as const,
  /** One item, with all that is below it. */
  item: (id: string) => ["knowledge", "item", id] as const,
  versions: (id: string) => ["knowledge", "item", id, "versions"] as const,
  applications: (id: string) => ["knowledge", "item", id, "applications"] as const,
  ofRun: (runId: string) => ["knowledge", "lists", "run", runId] as const,
  rule: ["knowledge", "rule"] as const,
  version: (id: string, version: number) => ["knowledge", "version", id, version] as const,
  versionsOf: (id: string) => ["knowledge", "version", id] as const,
};
