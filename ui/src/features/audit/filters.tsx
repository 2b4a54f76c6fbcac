import { useMembers } from "@/api/queries";
import type { AuditAction, AuditOutcome } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import type { AuditSearch } from "./search";
import * as words from "./strings";

const ANY = "any";
const { audit } = words;

function entries<T extends string>(record: Record<T, string>) {
  return (Object.entries(record) as [T, string][]).map(([value, label]) => ({ value, label }));
}

/** What to look for; kept in the address. */
export function Filters({
  search,
  onChange,
}: {
  search: AuditSearch;
  onChange: (search: AuditSearch) => void;
}) {
  const members = useMembers().data ?? [];
  const set = (key: keyof AuditSearch, value: string) => {
    const { [key]: _, ...rest } = search;
    onChange(value === ANY || value === "" ? rest : { ...rest, [key]: value });
  };
  return (
    <div className="mb-4 grid grid-cols-2 items-end gap-3 sm:grid-cols-3 lg:grid-cols-[repeat(5,minmax(0,1fr))_auto]">
      <Field label={audit.actor}>
        <Select<string>
          value={search.actor ?? ANY}
          onChange={(value) => set("actor", value)}
          options={[
            { value: ANY, label: audit.anyone },
            ...members.map((member) => ({ value: member.id, label: member.name, help: member.email })),
          ]}
        />
      </Field>
      <Field label={audit.action}>
        <Select<AuditAction | typeof ANY>
          value={search.action ?? ANY}
          onChange={(value) => set("action", value)}
          options={[{ value: ANY, label: audit.anything }, ...entries(words.action)]}
        />
      </Field>
      <Field label={audit.outcome}>
        <Select<AuditOutcome | typeof ANY>
          value={search.outcome ?? ANY}
          onChange={(value) => set("outcome", value)}
          options={[{ value: ANY, label: audit.anyOutcome }, ...entries(words.outcome)]}
        />
      </Field>
      <Field label={audit.from}>
        <Input
          type="date"
          value={search.from ?? ""}
          max={search.to}
          onChange={(event) => set("from", event.target.value)}
        />
      </Field>
      <Field label={audit.to}>
        <Input
          type="date"
          value={search.to ?? ""}
          min={search.from}
          onChange={(event) => set("to", event.target.value)}
        />
      </Field>
      <Button
        variant="ghost"
        className="h-9"
        disabled={Object.keys(search).length === 0}
        onClick={() => onChange({})}
      >
        {audit.clear}
      </Button>
    </div>
  );
}
