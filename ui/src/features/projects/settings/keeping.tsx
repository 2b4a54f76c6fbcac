import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { WithCode } from "@/components/with-code";
import { bytes } from "@/lib/format";
import { settingsCalls } from "./calls";
import { outfit } from "./strings";

const s = outfit.keeping;

/** What tools keep between runs, whether members share it, and which toolchains the machine offers. */
export function Keeping({
  projectId,
  gib,
  onGib,
  shared,
  onShared,
  mayManage,
  error,
}: {
  projectId: string;
  gib: number;
  onGib: (gib: number) => void;
  shared: boolean;
  onShared: (shared: boolean) => void;
  mayManage: boolean;
  error: string | undefined;
}) {
  const there = useQuery({
    queryKey: keys.outfit(projectId),
    queryFn: ({ signal }) => settingsCalls.outfit(projectId, signal),
  });
  return (
    <Section title={s.title} id="caches" lead={s.lead}>
      <div className="flex flex-col gap-5">
        <Field label={s.size} help={s.sizeHelp} error={error}>
          <Input
            type="number"
            min={0}
            max={500}
            required
            className="max-w-28"
            value={Number.isNaN(gib) ? "" : gib}
            onChange={(event) => onGib(event.target.valueAsNumber)}
          />
        </Field>
        <Switch
          checked={shared}
          onChange={onShared}
          disabled={!mayManage}
          label={s.shared}
          help={s.sharedHelp}
        />
        {there.isError ? (
          <ErrorState error={there.error} onRetry={() => there.refetch()} className="py-6" />
        ) : there.data === undefined ? (
          <Skeleton className="h-24 rounded-xl" />
        ) : (
          <dl className="flex flex-col gap-4 rounded-xl border border-line bg-surface p-4 text-sm shadow-card">
            <div className="grid grid-cols-[1fr_auto] items-center gap-x-4">
              <dt className="font-medium">{s.kept}</dt>
              <dd className="num col-start-1 text-muted">
                {s.of(bytes(there.data.caches.bytes), bytes(there.data.caches.mostBytes))}
                {there.data.caches.inUse && <span className="text-faint"> · {s.inUse}</span>}
              </dd>
              {mayManage && (
                <dd className="col-start-2 row-span-2 row-start-1">
                  <Clear projectId={projectId} empty={there.data.caches.bytes === 0} />
                </dd>
              )}
            </div>
            <div>
              <dt className="font-medium">{s.toolchains}</dt>
              {there.data.toolchains.length === 0 ? (
                <dd className="text-muted">
                  <WithCode text={s.noToolchains} />
                </dd>
              ) : (
                there.data.toolchains.map((one) => (
                  <dd key={one.path} className="text-muted">
                    {one.name} <code className="break-all text-xs">{one.path}</code>
                  </dd>
                ))
              )}
            </div>
          </dl>
        )}
      </div>
    </Section>
  );
}

function Clear({ projectId, empty }: { projectId: string; empty: boolean }) {
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="sm" disabled={empty} onClick={() => setOpen(true)}>
        {s.clear}
      </Button>
      <Confirm
        open={open}
        onOpenChange={setOpen}
        danger
        title={s.clearTitle}
        confirm={s.clear}
        onConfirm={async () => {
          try {
            await settingsCalls.clearCaches(projectId);
            toast.done(s.cleared);
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          } finally {
            void client.invalidateQueries({ queryKey: keys.outfit(projectId) });
          }
        }}
      >
        {s.clearText}
      </Confirm>
    </>
  );
}
