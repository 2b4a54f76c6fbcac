import { useId, useMemo, useState } from "react";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { type Draft, fieldsOf } from "./draft";
import { fieldName, fieldText } from "./field-name";
import { type Choice, merge, mergeFields, type Part, settled } from "./merge";
import { words } from "./strings";
import { TextDiff } from "./text-diff-view";
import { useTitles } from "./titles";
import type { Kind } from "./types";

const w = words.conflict;

/** Two texts that were made of the same one, side by side wherever both changed; what comes of it goes back into the editor. */
export function Conflict({
  kind,
  base,
  mine,
  theirs,
  onUse,
  onCancel,
}: {
  kind: Kind;
  base: Draft;
  mine: Draft;
  theirs: Draft;
  onUse: (merged: Draft) => void;
  onCancel: () => void;
}) {
  const { merged, conflicts } = useMemo(() => mergeFields(base, mine, theirs), [base, mine, theirs]);
  const parts = useMemo(() => merge(base.content, mine.content, theirs.content), [base, mine, theirs]);
  const [choices, setChoices] = useState<readonly (Choice | undefined)[]>([]);
  const fields = conflicts.filter((field) => field !== "content" && fieldsOf(kind).includes(field));
  const [taken, setTaken] = useState<Partial<Record<keyof Draft, "mine" | "theirs">>>({});
  const title = useTitles(fields.includes("related") ? [...mine.related, ...theirs.related] : []);
  const shown = (draft: Draft, field: keyof Draft) =>
    fieldText(field === "related" ? draft.related.map(title) : draft[field]);
  const places = parts.filter((part) => part.kind === "conflict");
  const open = places.filter((_, place) => choices[place] === undefined).length;

  const use = () => {
    const result = { ...merged, content: settled(parts, choices) };
    for (const field of fields)
      if (taken[field] === "theirs") Object.assign(result, { [field]: theirs[field] });
    onUse(result);
  };
  let at = -1;
  return (
    <div className="flex flex-col gap-6">
      {fields.length > 0 && (
        <section className="flex flex-col gap-3">
          <h2 className="font-semibold text-base">{w.fields}</h2>
          {fields.map((field) => (
            <Sides
              key={field}
              label={fieldName(field)}
              mine={shown(mine, field)}
              theirs={shown(theirs, field)}
              value={taken[field] ?? "mine"}
              choices={["mine", "theirs"]}
              onChange={(choice) => setTaken({ ...taken, [field]: choice === "theirs" ? "theirs" : "mine" })}
            />
          ))}
        </section>
      )}
      <section className="flex flex-col gap-3">
        <h2 className="font-semibold text-base">{words.form.content}</h2>
        {places.length === 0 && fields.length === 0 && <p className="text-muted text-sm">{w.noneLeft}</p>}
        {parts.map((part, index) => {
          if (part.kind === "settled")
            // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other name, and never move
            return <Settled key={index} part={part} />;
          at += 1;
          const here = at;
          return (
            <Sides
              // biome-ignore lint/suspicious/noArrayIndexKey: as above
              key={index}
              label={w.part(here + 1, places.length)}
              mine={part.mine.join("\n")}
              theirs={part.theirs.join("\n")}
              value={choices[here]}
              choices={["mine", "theirs", "both"]}
              onChange={(choice) => {
                const next = [...choices];
                next[here] = choice;
                setChoices(next);
              }}
            />
          );
        })}
      </section>
      <details>
        <summary className="cursor-default rounded text-muted text-sm">{w.whole}</summary>
        <div className="mt-2">
          <TextDiff before={theirs.content} after={mine.content} label={w.whole} />
        </div>
      </details>
      <div className="sticky bottom-0 -mx-4 flex flex-wrap items-center justify-end gap-2 border-line border-t bg-canvas px-4 py-3 sm:-mx-8 sm:px-8">
        {open > 0 && <p className="min-w-0 flex-1 basis-40 text-muted text-sm">{w.open(open)}</p>}
        <Button variant="ghost" onClick={onCancel}>
          {words.cancel}
        </Button>
        <Button variant="primary" disabled={open > 0} onClick={use}>
          {w.use}
        </Button>
      </div>
    </div>
  );
}

/** Lines of a settled part that are shown at its ends; the rest is known to both. */
const ENDS = 3;

function Settled({ part }: { part: Extract<Part, { kind: "settled" }> }) {
  const { lines } = part;
  const shown =
    lines.length <= 2 * ENDS + 1
      ? lines
      : [...lines.slice(0, ENDS), words.history.unchanged(lines.length - 2 * ENDS), ...lines.slice(-ENDS)];
  return (
    <pre
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      className="overflow-x-auto whitespace-pre-wrap rounded-md border border-line bg-sunken px-3 py-2 text-muted text-xs [overflow-wrap:anywhere]"
    >
      {shown.join("\n")}
    </pre>
  );
}

/** Mine and theirs beside each other, with what is to be taken. */
function Sides({
  label,
  mine,
  theirs,
  value,
  choices,
  onChange,
}: {
  label: string;
  mine: string;
  theirs: string;
  /** Nothing until somebody chose: to keep both is as much of a decision. */
  value: Choice | undefined;
  choices: readonly Choice[];
  onChange: (choice: Choice) => void;
}) {
  const name = useId();
  return (
    <fieldset className="rounded-lg border border-line bg-surface p-3">
      <legend className="px-1 font-medium text-sm">{label}</legend>
      <div className="mb-2 flex flex-wrap gap-3">
        {choices.map((choice) => (
          <label key={choice} className="inline-flex items-center gap-1.5 text-sm">
            <input
              type="radio"
              name={name}
              checked={value === choice}
              onChange={() => onChange(choice)}
              className="size-4 accent-(--accent)"
            />
            {w[choice]}
          </label>
        ))}
      </div>
      <div className="grid gap-2 sm:grid-cols-2">
        <Side title={w.mine} text={mine} taken={value && value !== "theirs"} />
        <Side title={w.theirs} text={theirs} taken={value && value !== "mine"} />
      </div>
    </fieldset>
  );
}

function Side({ title, text, taken }: { title: string; text: string; taken: boolean | undefined }) {
  return (
    <div className="min-w-0">
      <p className="mb-0.5 text-faint text-xs">{title}</p>
      <pre
        className={cn(
          "whitespace-pre-wrap rounded-md px-3 py-2 text-xs [overflow-wrap:anywhere]",
          taken ? "bg-add" : "bg-sunken text-muted",
          taken === false && "line-through decoration-faint",
        )}
      >
        {text === "" ? w.empty : text}
      </pre>
    </div>
  );
}
