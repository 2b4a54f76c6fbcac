import { Plus, Trash2 } from "lucide-react";
import { Section } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { w } from "./strings";
import { Trial } from "./trial";

export interface Command {
  key: number;
  text: string;
}

let nextKey = 0;
export const command = (text: string): Command => ({ key: nextKey++, text });
export const linesOf = (commands: readonly Command[]) =>
  commands.map((entry) => entry.text.trim()).filter(Boolean);

/** The project's checks, how long each may take, and a trial of them. */
export function Checks({
  projectId,
  commands,
  onCommands,
  minutes,
  onMinutes,
  mayManage,
  error,
}: {
  projectId: string;
  commands: Command[];
  onCommands: (commands: Command[]) => void;
  minutes: number;
  onMinutes: (minutes: number) => void;
  mayManage: boolean;
  error: string | undefined;
}) {
  return (
    <Section title={w.checks.title} id="checks" lead={w.checks.lead}>
      <div className="flex flex-col gap-5">
        <div className="flex flex-col gap-2">
          {commands.map((entry, at) => (
            <div key={entry.key} className="flex gap-2">
              <Input
                aria-label={w.checks.one(at + 1)}
                value={entry.text}
                onChange={(event) => onCommands(commands.with(at, { ...entry, text: event.target.value }))}
                placeholder="npm test"
                spellCheck={false}
                autoCapitalize="off"
                className="font-mono text-xs"
              />
              <Button
                variant="ghost"
                size="icon"
                className="mt-0.5"
                aria-label={w.checks.remove(at + 1)}
                onClick={() => onCommands(commands.toSpliced(at, 1))}
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
              onClick={() => onCommands([...commands, command("")])}
            >
              <Plus /> {w.checks.add}
            </Button>
          )}
        </div>
        <Field label={w.checks.minutes} help={w.checks.minutesHelp} error={error}>
          <Input
            type="number"
            min={1}
            max={240}
            required
            className="max-w-28"
            value={Number.isNaN(minutes) ? "" : minutes}
            onChange={(event) => onMinutes(event.target.valueAsNumber)}
          />
        </Field>
        <Trial projectId={projectId} lines={linesOf(commands)} minutes={minutes} mayManage={mayManage} />
      </div>
    </Section>
  );
}
