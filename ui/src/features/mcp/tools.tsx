import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Switch } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { TextDiff } from "@/features/knowledge/text-diff-view";
import { cn } from "@/lib/cn";
import { approvable, shapeText, waiting } from "./draft";
import { type McpServer, type McpStanding, type McpTool, mcpCalls } from "./queries";
import { s } from "./strings";

const TONE: Record<McpStanding, Tone> = { new: "amber", approved: "green", changed: "amber", gone: "grey" };

/** The tools of a server: what each says of itself, what changed, and whether agents may have it. */
export function Tools({ server, mayManage }: { server: McpServer; mayManage: boolean }) {
  const client = useQueryClient();
  const again = () => void client.invalidateQueries({ queryKey: keys.mcpServers });
  const refused = (cause: unknown) => {
    again();
    toast.error(undefined, asApiError(cause));
  };
  const approve = useMutation({
    mutationFn: (tools: { name: string; hash: string }[]) => mcpCalls.approve(server.id, tools),
    onSuccess: () => {
      again();
      toast.done(s.tools.approved);
    },
    onError: refused,
  });
  const choose = useMutation({
    mutationFn: (tool: { name: string; enabled: boolean }) => mcpCalls.choose(server.id, [tool]),
    onSuccess: again,
    onError: refused,
  });
  const all = approvable(server.tools);
  if (server.tools.length === 0) return <p className="mt-2 text-faint text-xs">{s.tools.none}</p>;
  return (
    <div className="mt-3 flex flex-col gap-3">
      {mayManage && all.length > 1 && (
        <Button size="sm" className="self-start" busy={approve.isPending} onClick={() => approve.mutate(all)}>
          {s.tools.approveAll(all.length)}
        </Button>
      )}
      <ul aria-label={s.tools.of(server.name)} className="divide-y divide-line rounded-lg border border-line">
        {server.tools.map((tool) => (
          <One
            key={tool.name}
            tool={tool}
            mayManage={mayManage}
            busy={approve.isPending}
            onApprove={() => approve.mutate(tool.hash === null ? [] : [{ name: tool.name, hash: tool.hash }])}
            onSwitch={(enabled) => choose.mutate({ name: tool.name, enabled })}
          />
        ))}
      </ul>
    </div>
  );
}

function One({
  tool,
  mayManage,
  busy,
  onApprove,
  onSwitch,
}: {
  tool: McpTool;
  mayManage: boolean;
  busy: boolean;
  onApprove: () => void;
  onSwitch: (enabled: boolean) => void;
}) {
  const waits = waiting([tool]).length === 1;
  const [open, setOpen] = useState(tool.standing === "changed" && waits);
  const shape = tool.offered ?? tool.approved;
  return (
    <li className="px-3 py-2.5 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <button
          type="button"
          aria-expanded={open}
          aria-label={s.tools.look(tool.name)}
          onClick={() => setOpen(!open)}
          className="flex min-w-0 flex-1 basis-28 items-center gap-1.5 rounded text-left hover:text-ink"
        >
          <ChevronRight
            aria-hidden
            className={cn("size-3.5 shrink-0 text-faint transition-transform", open && "rotate-90")}
          />
          <span className="flex min-w-0 flex-wrap items-center gap-x-1.5 gap-y-1">
            <span className="min-w-0 break-all font-mono text-xs">{tool.name}</span>
            <Badge tone={TONE[tool.standing]}>{s.tools.standing[tool.standing]}</Badge>
            {shape?.readOnly && <Badge tone="outline">{s.tools.readOnly}</Badge>}
          </span>
        </button>
        <div className="ml-auto flex items-center gap-x-3">
          {mayManage && waits && (
            <Button size="sm" aria-label={s.tools.approveOf(tool.name)} disabled={busy} onClick={onApprove}>
              {s.tools.approve}
            </Button>
          )}
          <Switch
            label={<span className="sr-only">{s.tools.switch(tool.name)}</span>}
            checked={tool.enabled}
            disabled={!mayManage}
            onChange={onSwitch}
          />
        </div>
      </div>
      {!open && shape && (
        <p className="mt-1 line-clamp-2 pl-5 text-faint text-xs">
          {shape.description === "" ? s.tools.noDescription : shape.description}
        </p>
      )}
      {open && (
        <div className="mt-2 pl-5">
          {tool.standing === "gone" && <p className="mb-2 text-faint text-xs">{s.tools.gone}</p>}
          {tool.standing === "changed" && tool.offered && tool.approved ? (
            <TextDiff
              before={shapeText(tool.approved)}
              after={shapeText(tool.offered)}
              label={s.tools.comparison(tool.name)}
            />
          ) : (
            shape && (
              <section
                aria-label={s.tools.says(tool.name)}
                // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
                tabIndex={0}
                className="max-h-72 overflow-auto whitespace-pre-wrap rounded-lg border border-line bg-sunken px-3 py-2 font-mono text-xs leading-5 [overflow-wrap:anywhere]"
              >
                {shapeText(shape)}
              </section>
            )
          )}
        </div>
      )}
    </li>
  );
}
