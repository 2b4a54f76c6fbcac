import { useIsMutating, useMutation } from "@tanstack/react-query";
import { ExternalLink } from "lucide-react";
import { useEffect, useRef } from "react";
import { asApiError } from "@/api/error";
import type { Feature, ProjectRemote } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { publish } from "@/features/projects/remote";
import { t } from "@/strings";
import { s as all } from "../strings";

const s = all.publish;

/** Puts a card's work where the team looks at it elsewhere, and leads to its pull request. */
export default function Publish({
  feature,
  remote,
  onClose,
}: {
  feature: Feature;
  remote: ProjectRemote;
  onClose: () => void;
}) {
  const shown = useRef(false);
  useEffect(() => {
    shown.current = true;
    return () => {
      shown.current = false;
    };
  }, []);
  const mutationKey = ["feature", "publish", feature.id];
  // Also what was begun before the window was closed and opened again.
  const busy = useIsMutating({ mutationKey }) > 0;
  const name = `#${feature.number} ${feature.title}`;
  const put = useMutation({
    mutationKey,
    mutationFn: () => publish(feature.id),
    // Told whatever is shown by then: the other side may take its time.
    onSuccess: ({ branch, pullRequest }) => {
      if (shown.current) return;
      const open = {
        label: s.open,
        onClick: () => void window.open(pullRequest ?? "", "_blank", "noopener"),
      };
      toast.done(name, `${s.done} ${branch}`, pullRequest === null ? undefined : open);
    },
    onError: (cause) => {
      if (!shown.current) toast.error(name, asApiError(cause));
    },
  });
  const done = put.data;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={s.title}
      footer={
        done === undefined ? (
          <>
            {/* What is under way cannot be called back. */}
            <Button onClick={onClose}>{busy ? t.common.close : t.common.cancel}</Button>
            <Button variant="primary" busy={busy} onClick={() => put.mutate()}>
              {s.push}
            </Button>
          </>
        ) : (
          <>
            <Button onClick={onClose}>{t.common.close}</Button>
            {done.pullRequest !== null && (
              <Button
                variant="primary"
                render={<a href={done.pullRequest} target="_blank" rel="noopener noreferrer" />}
              >
                <ExternalLink /> {s.open}
              </Button>
            )}
          </>
        )
      }
    >
      <div className="flex flex-col gap-3 px-5 pt-2 pb-4 text-sm" aria-live="polite">
        {done === undefined ? (
          <>
            <p className="[overflow-wrap:anywhere]">{s.text(remote.url)}</p>
            <p className="text-muted">{busy ? s.goesOn : s.comesBack}</p>
          </>
        ) : (
          <p className="[overflow-wrap:anywhere]">
            {s.done} <code className="text-xs">{done.branch}</code>
          </p>
        )}
        {put.error && <FormError error={asApiError(put.error)} />}
      </div>
    </Dialog>
  );
}
