import { Section } from "@/components/page";
import { Field, Input } from "@/components/ui/input";
import { type Command, Commands } from "./commands";
import { outfit } from "./strings";

const s = outfit.setUp;

/** The commands that set a worktree up, and how long each may take. */
export function SetUp({
  commands,
  onCommands,
  minutes,
  onMinutes,
  mayManage,
  error,
}: {
  commands: Command[];
  onCommands: (commands: Command[]) => void;
  minutes: number;
  onMinutes: (minutes: number) => void;
  mayManage: boolean;
  error: string | undefined;
}) {
  return (
    <Section title={s.title} id="set-up" lead={s.lead}>
      <div className="flex flex-col gap-5">
        <Commands
          commands={commands}
          onChange={onCommands}
          mayManage={mayManage}
          words={s}
          example="npm ci"
        />
        <Field label={s.minutes} help={s.minutesHelp} error={error}>
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
      </div>
    </Section>
  );
}
