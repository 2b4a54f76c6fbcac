import { Section } from "@/components/page";
import { type Command, Commands, Minutes } from "./commands";
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
        <Minutes words={s} value={minutes} onChange={onMinutes} error={error} />
      </div>
    </Section>
  );
}
