import { Section } from "@/components/page";
import { type Command, Commands, linesOf, Minutes } from "./commands";
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
        <Minutes words={w.checks} value={minutes} onChange={onMinutes} error={error} />
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
