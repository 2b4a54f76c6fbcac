import { Plus, Trash2 } from "lucide-react";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";

export interface Command {
  key: number;
  text: string;
}

let nextKey = 0;
export const command = (text: string): Command => ({ key: nextKey++, text });
export const linesOf = (commands: readonly Command[]) =>
  commands.map((entry) => entry.text.trim()).filter(Boolean);

/** Commands in their order, each on a line of its own. */
export function Commands({
  commands,
  onChange,
  mayManage,
  words,
  example,
}: {
  commands: Command[];
  onChange: (commands: Command[]) => void;
  mayManage: boolean;
  words: { one: (n: number) => string; remove: (n: number) => string; add: string };
  example: string;
}) {
  return (
    <div className="flex flex-col gap-2">
      {commands.map((entry, at) => (
        <div key={entry.key} className="flex gap-2">
          <Input
            aria-label={words.one(at + 1)}
            value={entry.text}
            onChange={(event) => onChange(commands.with(at, { ...entry, text: event.target.value }))}
            placeholder={example}
            spellCheck={false}
            autoCapitalize="off"
            className="font-mono text-xs"
          />
          <Button
            variant="ghost"
            size="icon"
            className="mt-0.5"
            aria-label={words.remove(at + 1)}
            onClick={() => onChange(commands.toSpliced(at, 1))}
          >
            <Trash2 />
          </Button>
        </div>
      ))}
      {mayManage && (
        <Button
          size="sm"
          className="self-start"
          disabled={commands.length >= 20}
          onClick={() => onChange([...commands, command("")])}
        >
          <Plus /> {words.add}
        </Button>
      )}
    </div>
  );
}

/** How long each of the commands may take. */
export function Minutes({
  words,
  value,
  onChange,
  error,
}: {
  words: { minutes: string; minutesHelp: string };
  value: number;
  onChange: (minutes: number) => void;
  error: string | undefined;
}) {
  return (
    <Field label={words.minutes} help={words.minutesHelp} error={error}>
      <Input
        type="number"
        min={1}
        max={240}
        required
        className="max-w-28"
        value={Number.isNaN(value) ? "" : value}
        onChange={(event) => onChange(event.target.valueAsNumber)}
      />
    </Field>
  );
}
