import { useMutation } from "@tanstack/react-query";
import { ExternalLink } from "lucide-react";
import { asApiError } from "@/api/error";
import type { Feature, ProjectRemote } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
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
  const put = useMutation({ mutationFn: () => publish(feature.id) });
  const done = put.data;
  return (
    <Dialog
      open
      // What is under way cannot be called back, and tells here what came of it.
      onOpenChange={(open) => !open && !put.isPending && onClose()}
      title={s.title}
      footer={
        done === undefined ? (
          <>
            <Button disabled={put.isPending} onClick={onClose}>
              {t.common.cancel}
            </Button>
            <Button variant="primary" busy={put.isPending} onClick={() => put.mutate()}>
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
            <p className="text-muted">{s.comesBack}</p>
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
