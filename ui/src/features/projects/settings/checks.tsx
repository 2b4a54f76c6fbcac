import { Section } from "@/components/page";
import { Field, Input } from "@/components/ui/input";
import { type Command, Commands, linesOf } from "./commands";
import { w } from "./strings";
import { Trial } from "./trial";

/** The project's checks, how long each may take, and a trial of them. */
export function Checks({
  projectId,
  commands,
  onCommands,
  setUp,
  minutes,
  onMinutes,
  mayManage,
  error,
}: {
  projectId: string;
  commands: Command[];
  onCommands: (commands: Command[]) => void;
  /** What sets a worktree up before the checks are tried. */
  setUp: string[];
  minutes: number;
  onMinutes: (minutes: number) => void;
  mayManage: boolean;
  error: string | undefined;
}) {
  return (
    <Section title={w.checks.title} id="checks" lead={w.checks.lead}>
      <div className="flex flex-col gap-5">
        <Commands
          commands={commands}
          onChange={onCommands}
          mayManage={mayManage}
          words={w.checks}
          example="npm test"
        />
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
        <Trial
          projectId={projectId}
          lines={linesOf(commands)}
          setUp={setUp}
          minutes={minutes}
          mayManage={mayManage}
        />
      </div>
    </Section>
  );
}
