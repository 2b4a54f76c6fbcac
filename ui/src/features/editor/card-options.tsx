import { Brain, CircleDollarSign, ListTodo, ShieldCheck, Tag, UserCheck } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { PlanningMode, ThinkingLevel } from "@/api/types";
import { PriorityIcon } from "@/components/priority";
import { Select } from "@/components/ui/select";
import { AgentSelect } from "@/features/library/agent-select";
import { ModelSelect } from "@/features/model-select";
import { dollarsOf, microsOf } from "@/features/usage/money";
import { cn } from "@/lib/cn";
import * as words from "@/strings";
import { BranchField } from "./branch";
import { DependencyList, DependencyPicker } from "./dependencies";
import type { Draft } from "./draft";

/** How the card is to be built, as a row of small choices. */
export function CardOptions({
  projectId,
  self,
  draft,
  onChange,
  categories,
  listId,
  branchError,
}: {
  projectId: string;
  self: string | null;
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
  categories: string[];
  listId: string;
  /** What the server had against the branch. */
  branchError: string | undefined;
}) {
  const dependencies = {
    projectId,
    value: draft.dependencies,
    onChange: (value: string[]) => onChange({ dependencies: value }),
  };
  return (
    <div className="flex flex-col gap-2">
      <DependencyList {...dependencies} />
      <div className="flex flex-wrap items-center gap-1.5">
        <Select
          variant="chip"
          label="Priority"
          value={String(draft.priority)}
          onChange={(value) => onChange({ priority: Number(value) })}
          options={[1, 2, 3].map((priority) => ({
            value: String(priority),
            label: words.priority[priority] ?? "",
            icon: <PriorityIcon priority={priority} />,
          }))}
        />
        <label className="inline-flex h-7 items-center gap-1.5 rounded-md border border-line px-2 text-muted text-sm focus-within:border-ring focus-within:ring-2 focus-within:ring-ring/30 hover:bg-hover">
          <Tag aria-hidden className="size-3.5" />
          <input
            aria-label="Category"
            list={listId}
            placeholder="Category"
            value={draft.category}
            maxLength={60}
            onChange={(event) => onChange({ category: event.target.value })}
            className="w-24 bg-transparent outline-none placeholder:text-muted"
          />
          <datalist id={listId}>
            {categories.map((category) => (
              <option key={category} value={category} />
            ))}
          </datalist>
        </label>
        <DependencyPicker self={self} {...dependencies} />
        <AgentSelect value={draft.agentId} onChange={(agentId) => onChange({ agentId })} />
        <ModelSelect
          variant="chip"
          label="Model"
          none="Default model"
          value={draft.model}
          onChange={(model) => onChange({ model })}
        />
        <Select<PlanningMode>
          variant="chip"
          label="Planning"
          value={draft.planningMode}
          onChange={(planningMode) =>
            // Without a plan there is nothing to approve.
            onChange({ planningMode, ...(planningMode === "skip" ? { requirePlanApproval: false } : {}) })
          }
          options={(Object.keys(words.planning) as PlanningMode[]).map((mode) => ({
            value: mode,
            ...words.planning[mode],
            icon: <ListTodo className="size-3.5" />,
          }))}
        />
        {draft.planningMode !== "skip" && (
          <Toggle
            icon={<UserCheck />}
            on={draft.requirePlanApproval}
            onChange={(requirePlanApproval) => onChange({ requirePlanApproval })}
            title="No file is changed before somebody says yes to the plan."
          >
            A person approves the plan
          </Toggle>
        )}
        <Select<ThinkingLevel>
          variant="chip"
          label="Thinking"
          value={draft.thinkingLevel}
          onChange={(thinkingLevel) => onChange({ thinkingLevel })}
          options={(Object.keys(words.thinking) as ThinkingLevel[]).map((level) => ({
            value: level,
            label: `Thinking: ${words.thinking[level].toLowerCase()}`,
            icon: <Brain className="size-3.5" />,
          }))}
        />
        <Toggle
          icon={<ShieldCheck />}
          on={!draft.skipVerification}
          onChange={(on) => onChange({ skipVerification: !on })}
          title="The project’s checks run when the agent is done."
        >
          Run the checks
        </Toggle>
        <Toggle
          icon={<UserCheck />}
          on={draft.needsApproval}
          onChange={(needsApproval) => onChange({ needsApproval })}
          title="Whatever the project does after the work, a person looks at this card."
        >
          A person looks
        </Toggle>
        <Budget value={draft.budgetMicros} onChange={(budgetMicros) => onChange({ budgetMicros })} />
        <BranchField value={draft.branch} onChange={(branch) => onChange({ branch })} error={branchError} />
      </div>
    </div>
  );
}

/** Something that is on or off, and looks it. */
function Toggle({
  icon,
  on,
  onChange,
  title,
  children,
}: {
  icon: ReactNode;
  on: boolean;
  onChange: (on: boolean) => void;
  title: string;
  children: string;
}) {
  return (
    <button
      type="button"
      role="switch"
      aria-checked={on}
      title={title}
      onClick={() => onChange(!on)}
      className={cn(
        "inline-flex h-7 items-center gap-1.5 rounded-md border border-line px-2 text-muted text-sm hover:bg-hover hover:text-ink [&>svg]:size-3.5",
        on && "border-accent/50 bg-accent-soft text-accent-text hover:text-accent-text",
      )}
    >
      {icon}
      {children}
      <span
        aria-hidden
        className={cn(
          "flex h-3.5 w-6 items-center rounded-full px-0.5 transition-colors",
          on ? "justify-end bg-accent" : "bg-line-strong",
        )}
      >
        <span className="size-2.5 rounded-full bg-white" />
      </span>
    </button>
  );
}

/** What a run of the card may cost, in dollars. What is no sum of money changes nothing, and says so. */
function Budget({ value, onChange }: { value: number | null; onChange: (micros: number | null) => void }) {
  const [text, setText] = useState(value === null ? "" : dollarsOf(value));
  const micros = microsOf(text);
  const wrong = text.trim() !== "" && (micros === null || micros === 0);
  return (
    <label
      title="What a run of this card may cost before it waits and asks for more. Empty means the team's limit."
      className={cn(
        "inline-flex h-7 items-center gap-1.5 rounded-md border border-line px-2 text-muted text-sm focus-within:border-ring focus-within:ring-2 focus-within:ring-ring/30 hover:bg-hover",
        wrong && "border-red text-red",
      )}
    >
      <CircleDollarSign aria-hidden className="size-3.5" />
      <input
        aria-label="Budget in US dollars"
        aria-invalid={wrong}
        inputMode="decimal"
        autoComplete="off"
        placeholder="Budget"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          const next = event.target.value.trim() === "" ? null : microsOf(event.target.value);
          if (event.target.value.trim() === "" || (next !== null && next > 0)) onChange(next);
        }}
        className="num w-16 bg-transparent outline-none placeholder:text-muted"
      />
    </label>
  );
}
