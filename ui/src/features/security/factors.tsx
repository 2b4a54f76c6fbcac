import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { FactorList } from "@/api/types";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Confirm, Dialog } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { Time } from "@/lib/time";
import { AppDialog } from "./app-dialog";
import { factorCalls } from "./calls";
import { Passkeys } from "./passkeys";
import { RecoveryCodes } from "./recovery-codes";
import { words } from "./strings";

/** The member's second factors. `onReady` is told once there is one and its recovery codes were kept. */
export function Factors({ onReady }: { onReady?: () => void }) {
  const factors = useQuery(queries.factors());
  if (factors.isError)
    return <ErrorState error={factors.error} onRetry={() => factors.refetch()} className="py-6" />;
  if (factors.data === undefined) return <Skeleton className="h-60 rounded-xl" />;
  return <Loaded factors={factors.data} onReady={onReady} />;
}

function Loaded({ factors, onReady }: { factors: FactorList; onReady: (() => void) | undefined }) {
  const client = useQueryClient();
  const [deed, setDeed] = useState<"set-up" | "remove" | "renew" | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const window = (which: Exclude<typeof deed, null>) => ({
    open: deed === which,
    onOpenChange: (open: boolean) => setDeed(open ? which : null),
  });
  const fresh = () => {
    void client.invalidateQueries({ queryKey: keys.factors });
    void client.invalidateQueries({ queryKey: keys.me });
  };
  const made = (done: string) => (given: string[] | null) => {
    setDeed(null);
    setCodes(given);
    fresh();
    // The window with the codes says it as well, and words at the edge would lie over its buttons.
    if (given !== null) return;
    toast.done(done);
    onReady?.();
  };
  const doing = (work: () => Promise<unknown>, done?: string) => async () => {
    try {
      await work();
      fresh();
      if (done !== undefined) toast.done(done);
    } catch (cause) {
      toast.error(undefined, asApiError(cause));
      throw cause;
    }
  };
  const any = factors.totpSince !== null || factors.passkeys.length > 0;
  return (
    <div className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
      <div className="flex flex-wrap items-center gap-3 px-4 py-3.5">
        <div className="min-w-48 flex-1">
          <p className="font-medium text-sm">{words.app.title}</p>
          <p className="text-faint text-xs">
            {factors.totpSince === null ? (
              words.app.lead
            ) : (
              <>
                {words.app.since} <Time at={factors.totpSince} />
              </>
            )}
          </p>
        </div>
        {factors.totpSince === null ? (
          <Button onClick={() => setDeed("set-up")}>{words.app.setUp}</Button>
        ) : (
          <Button onClick={() => setDeed("remove")}>{words.app.remove}</Button>
        )}
      </div>
      <Passkeys factors={factors} onMade={made(words.passkeys.added)} />
      <div className="flex flex-wrap items-center gap-3 px-4 py-3.5">
        <div className="min-w-48 flex-1">
          <p className="font-medium text-sm">{words.codes.title}</p>
          <p className="text-faint text-xs">
            {any ? `${words.codes.left(factors.recoveryCodes)} ${words.codes.lead}` : words.codes.none}
          </p>
        </div>
        {any && <Button onClick={() => setDeed("renew")}>{words.codes.renew}</Button>}
      </div>

      <AppDialog {...window("set-up")} onDone={made(words.app.enabled)} />
      <Confirm
        {...window("remove")}
        danger
        title={words.app.removeTitle}
        confirm={words.app.remove}
        onConfirm={doing(factorCalls.deleteTotp, words.app.removed)}
      >
        {words.app.removeText}
      </Confirm>
      <Confirm
        {...window("renew")}
        title={words.codes.renewTitle}
        confirm={words.codes.renew}
        onConfirm={doing(async () => setCodes((await factorCalls.renewRecoveryCodes()).recoveryCodes))}
      >
        {words.codes.renewText}
      </Confirm>
      <Dialog
        open={codes !== null}
        onOpenChange={() => {
          setCodes(null);
          onReady?.();
        }}
        title={words.codes.madeTitle}
        footer={
          <Button
            variant="primary"
            onClick={() => {
              setCodes(null);
              onReady?.();
            }}
          >
            {words.codes.kept}
          </Button>
        }
      >
        <div className="px-5 pt-2 pb-4">{codes !== null && <RecoveryCodes codes={codes} />}</div>
      </Dialog>
    </div>
  );
}
