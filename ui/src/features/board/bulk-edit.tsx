import { Bot, Cpu, SignalHigh, Tag } from "lucide-react";
import { type FormEvent, Fragment, lazy, type ReactNode, Suspense, useState } from "react";
import { useModels } from "@/api/queries";
import type { FeatureCard, FeaturePatch } from "@/api/types";
import { PriorityIcon } from "@/components/priority";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Menu, MenuItem, MenuLabel, MenuSeparator } from "@/components/ui/menu";
import { AgentSign } from "@/features/library/agent-sign";
import { useAgents } from "@/features/library/queries";
import { s as library } from "@/features/library/strings";
import { modelOptions } from "@/features/model-groups";
import * as words from "@/strings";
import { bulk as s } from "./bulk-strings";
import { categoriesOf } from "./filter";
import { useBoardContext } from "./state";

const OtherModel = lazy(() => import("@/features/other-model"));

/** What of several cards can be changed at once. */
export function BulkEdit({
  cards,
  busy,
  onEdit,
}: {
  cards: readonly FeatureCard[];
  busy: boolean;
  onEdit: (change: FeaturePatch) => void;
}) {
  const board = useBoardContext().cards;
  const models = modelOptions(useModels().data?.items ?? []);
  const agents = (useAgents().data ?? []).filter((agent) => agent.status === "active");
  const [asking, setAsking] = useState<"category" | "model" | null>(null);
  const common = <K extends keyof FeatureCard>(key: K) =>
    cards.every((card) => card[key] === cards[0]?.[key]) ? cards[0]?.[key] : undefined;
  return (
    <>
      <Choices label={s.priority} icon={<SignalHigh aria-hidden />} busy={busy}>
        {[1, 2, 3].map((priority) => (
          <MenuItem
            key={priority}
            icon={<PriorityIcon priority={priority} />}
            onClick={() => onEdit({ priority })}
          >
            {words.priority[priority]}
          </MenuItem>
        ))}
      </Choices>
      <Choices label={s.category} icon={<Tag aria-hidden />} busy={busy}>
        <MenuItem onClick={() => onEdit({ category: "" })}>{s.noCategory}</MenuItem>
        {categoriesOf([...board.values()]).map((category) => (
          <MenuItem key={category} onClick={() => onEdit({ category })}>
            {category}
          </MenuItem>
        ))}
        <MenuSeparator />
        <MenuItem onClick={() => setAsking("category")}>{s.otherCategory}</MenuItem>
      </Choices>
      <Choices label={s.model} icon={<Cpu aria-hidden />} busy={busy}>
        <MenuItem onClick={() => onEdit({ model: null })}>{s.noModel}</MenuItem>
        {models.map((model, at) => (
          <Fragment key={model.value}>
            {model.group !== models[at - 1]?.group && <MenuLabel>{model.group}</MenuLabel>}
            <MenuItem disabled={model.disabled ?? false} onClick={() => onEdit({ model: model.value })}>
              {model.label}
              <span className="block max-w-80 text-faint text-xs">{model.help}</span>
            </MenuItem>
          </Fragment>
        ))}
        <MenuSeparator />
        <MenuItem onClick={() => setAsking("model")}>{s.otherModel}</MenuItem>
      </Choices>
      <Choices label={s.agent} icon={<Bot aria-hidden />} busy={busy}>
        <MenuItem icon={<Bot />} onClick={() => onEdit({ agentId: null })}>
          {library.usual}
        </MenuItem>
        {agents.map((agent) => (
          <MenuItem
            key={agent.id}
            icon={<AgentSign icon={agent.icon} className="w-4" />}
            onClick={() => onEdit({ agentId: agent.id })}
          >
            {agent.name}
          </MenuItem>
        ))}
      </Choices>
      {asking === "category" && (
        <AskCategory
          first={common("category") ?? ""}
          onClose={() => setAsking(null)}
          onChosen={(category) => onEdit({ category })}
        />
      )}
      {asking === "model" && (
        <Suspense>
          <OtherModel
            onClose={() => setAsking(null)}
            onChosen={(model) => {
              setAsking(null);
              onEdit({ model });
            }}
          />
        </Suspense>
      )}
    </>
  );
}

function Choices({
  label,
  icon,
  busy,
  children,
}: {
  label: string;
  icon: ReactNode;
  busy: boolean;
  children: ReactNode;
}) {
  return (
    <Menu
      side="top"
      trigger={
        <Button size="sm" variant="ghost" title={label} disabled={busy} className="pointer-coarse:h-9">
          {icon} <span className="@max-3xl:sr-only">{label}</span>
        </Button>
      }
    >
      {children}
    </Menu>
  );
}

/** A category that no card has yet. */
function AskCategory({
  first,
  onClose,
  onChosen,
}: {
  first: string;
  onClose: () => void;
  onChosen: (category: string) => void;
}) {
  const [text, setText] = useState(first);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onClose();
    onChosen(text.trim());
  };
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={s.category} width="sm">
      <form onSubmit={submit} className="flex flex-col gap-4 px-5 pt-1 pb-5">
        <Field label={s.category}>
          <Input
            value={text}
            onChange={(event) => setText(event.target.value)}
            maxLength={60}
            autoFocus
            required
          />
        </Field>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{words.t.common.cancel}</Button>
          <Button type="submit" variant="primary">
            {s.use}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
