import { Library, Plus, SearchX } from "lucide-react";
import { useState } from "react";
import { isLost } from "@/api/error";
import { useMay } from "@/api/queries";
import type { Agent, AgentStatus } from "@/api/types";
import { Page } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { AgentEditor } from "@/features/library/agent-form";
import { AgentCards, useMayChange } from "@/features/library/agent-list";
import { found } from "@/features/library/draft";
import { useAgents } from "@/features/library/queries";
import { s } from "@/features/library/strings";
import { TryIt } from "@/features/library/try-it";
import "@/features/feature/feature.css";

type Shown = AgentStatus | "all";

export default function AgentsLibraryPage() {
  const agents = useAgents();
  const mayBuild = useMay("build");
  const mayChange = useMayChange();
  const [text, setText] = useState("");
  const [status, setStatus] = useState<Shown>("all");
  const [edited, setEdited] = useState<Agent | "new" | null>(null);
  const [tried, setTried] = useState<Agent | null>(null);
  const all = agents.data ?? [];
  // What is archived is out of the way until it is asked for.
  const wanted = found(all, text).filter((agent) =>
    status === "all" ? agent.status !== "archived" : agent.status === status,
  );
  const create = mayBuild && (
    <Button variant="primary" onClick={() => setEdited("new")}>
      <Plus /> {s.create}
    </Button>
  );
  return (
    <Page title={s.title} lead={s.lead} width="lg" actions={create}>
      {isLost(agents) ? (
        <ErrorState error={agents.error} onRetry={() => void agents.refetch()} />
      ) : (
        <>
          <div className="mb-4 flex flex-wrap gap-2">
            <Input
              type="search"
              aria-label={s.search}
              placeholder={s.search}
              value={text}
              onChange={(event) => setText(event.target.value)}
              className="max-w-72 flex-1"
            />
            <Select<Shown>
              label={s.all}
              value={status}
              onChange={setStatus}
              className="w-36"
              options={[
                { value: "all", label: s.all },
                ...(["active", "draft", "archived"] as const).map((value) => ({
                  value,
                  label: s.status[value],
                })),
              ]}
            />
          </div>
          {agents.isPending ? (
            <div role="status" className="grid gap-3 md:grid-cols-2 xl:grid-cols-3">
              <Skeleton className="h-36 rounded-xl" />
              <Skeleton className="h-36 rounded-xl" />
              <Skeleton className="h-36 rounded-xl" />
            </div>
          ) : all.length === 0 ? (
            <Empty icon={<Library />} title={s.empty} action={create}>
              {s.emptyText}
            </Empty>
          ) : wanted.length === 0 ? (
            <Empty icon={<SearchX />} title={s.none}>
              {s.noneText}
            </Empty>
          ) : (
            <AgentCards agents={wanted} onEdit={setEdited} onTry={setTried} />
          )}
        </>
      )}
      {edited !== null && (
        <AgentEditor
          agent={edited === "new" ? null : edited}
          mayEdit={edited === "new" || mayChange(edited)}
          onClose={() => setEdited(null)}
        />
      )}
      {tried !== null && <TryIt agent={tried} onClose={() => setTried(null)} />}
    </Page>
  );
}
