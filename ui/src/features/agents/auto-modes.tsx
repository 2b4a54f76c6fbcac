import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries, useMay, useMe, useMembers } from "@/api/queries";
import type { AutoMode } from "@/api/types";
import { Avatar } from "@/components/ui/avatar";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { reason } from "@/features/auto/moment";
import { auto } from "@/features/auto/strings";
import { agents as words } from "./strings";

/** Everybody's auto modes; admins can stop those of others. */
export function AutoModes({ names }: { names: Map<string, string> }) {
  const client = useQueryClient();
  const orders = useQuery({ ...queries.autoModes(), refetchInterval: 30_000 }).data ?? [];
  const members = useMembers().data ?? [];
  const me = useMe().data;
  const mayAdminister = useMay("administer");
  const mayRun = useMay("run");
  const [asked, setAsked] = useState<AutoMode | null>(null);
  if (orders.length === 0) return null;
  const nameOf = (order: AutoMode) => members.find((member) => member.id === order.memberId)?.name ?? "";
  return (
    <section aria-labelledby="auto-modes" className="mt-10">
      <div className="mb-2 flex items-baseline gap-2 px-1">
        <h2 id="auto-modes" className="font-semibold text-base">
          {words.orders}
        </h2>
        <p className="hidden text-faint text-xs sm:block">{words.ordersLead}</p>
      </div>
      <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-surface shadow-card">
        {orders.map((order) => {
          const name = nameOf(order);
          const project = names.get(order.projectId) ?? "";
          const member = members.find((entry) => entry.id === order.memberId);
          const may = mayAdminister || (mayRun && order.memberId === me?.id);
          return (
            <li
              key={`${order.projectId} ${order.memberId}`}
              className="flex items-center gap-3 px-4 py-2.5 text-sm"
            >
              {member && <Avatar name={name} id={member.id} picture={member.avatar} size="sm" />}
              <div className="min-w-0 flex-1">
                <p>
                  <span className="font-medium">{name}</span> <span className="text-muted">in {project}</span>{" "}
                  <Badge tone={order.state === "on" ? "green" : "amber"}>{auto[order.state]}</Badge>
                </p>
                <p className="num text-muted text-xs">
                  {auto.running(order.running)} · {words.atOnce(order.maxConcurrent)}
                  {order.waiting && <> · {reason(order.waiting)}</>}
                  {order.pause && <> {order.pause.message}</>}
                </p>
              </div>
              {may && (
                <Button size="sm" aria-label={words.stopOf(name, project)} onClick={() => setAsked(order)}>
                  {words.stop}
                </Button>
              )}
            </li>
          );
        })}
      </ul>
      <Confirm
        open={asked !== null}
        onOpenChange={(open) => !open && setAsked(null)}
        title={words.ask(asked ? nameOf(asked) : "")}
        confirm={words.confirm}
        danger
        onConfirm={async () => {
          if (asked === null) return;
          try {
            await api.setAutoMode(asked.projectId, { action: "stop", memberId: asked.memberId });
            void client.invalidateQueries({ queryKey: keys.autoModes });
            toast.done(words.stopped(nameOf(asked)));
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {words.what}
      </Confirm>
    </section>
  );
}
