import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import type { Member } from "@/api/types";
import { FormError } from "@/components/form-error";
import { SecretOnce } from "@/components/secret-once";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { t } from "@/strings";
import { team } from "./strings";

/** Makes a link by which a member sets a new password, and shows it once. */
export function ResetLinkDialog({
  open,
  onOpenChange,
  member,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  member: Member;
}) {
  const [url, setUrl] = useState<string | null>(null);
  const make = useMutation({
    mutationFn: () => api.resetLink(member.id),
    onSuccess: (made) => setUrl(made.url),
  });
  const change = (next: boolean) => {
    onOpenChange(next);
    if (next) return;
    setUrl(null);
    make.reset();
  };
  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title={team.reset.title(member.name)}
      description={team.reset.text}
      footer={
        url === null ? (
          <>
            <Button onClick={() => change(false)}>{t.common.cancel}</Button>
            <Button variant="primary" busy={make.isPending} onClick={() => make.mutate()}>
              {team.reset.make}
            </Button>
          </>
        ) : (
          <Button onClick={() => change(false)}>{t.common.close}</Button>
        )
      }
    >
      <div className="flex flex-col gap-3 px-5 pt-2 pb-4">
        {url !== null && <SecretOnce label={team.reset.label} value={url} note={team.reset.once} />}
        <FormError error={make.error && asApiError(make.error)} />
      </div>
    </Dialog>
  );
}
