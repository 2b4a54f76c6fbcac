import { type KeyboardEvent, useState } from "react";
import { asApiError } from "@/api/error";
import { Button } from "@/components/ui/button";
import { Field, FieldTextarea } from "@/components/ui/input";
import { Keys } from "@/components/ui/kbd";
import { useReject } from "./deeds";
import { words } from "./strings";
import type { Learning } from "./types";

const r = words.review;

/** Asks why a learning is wrong, and rejects it. */
export function RejectForm({
  item,
  onCancel,
  onDone,
}: {
  item: Learning;
  onCancel: () => void;
  onDone: () => void;
}) {
  const [reason, setReason] = useState("");
  const reject = useReject();
  const send = () => {
    const why = reason.trim();
    // Whoever was refused is told why, and stays where they are.
    if (!reject.isPending && why !== "") reject.mutate({ item, reason: why }, { onSuccess: onDone });
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) send();
    else if (event.key === "Escape") onCancel();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only takes the keys of its field
    <div onKeyDown={onKey} className="flex flex-col gap-2">
      <Field
        label={r.reason}
        help={r.reasonHelp}
        error={reject.error ? asApiError(reject.error).field("reason") : undefined}
      >
        <FieldTextarea
          value={reason}
          maxLength={500}
          onChange={(event) => setReason(event.target.value)}
          autoFocus
        />
      </Field>
      <div className="flex justify-end gap-2">
        <Button variant="ghost" onClick={onCancel}>
          {words.cancel}
        </Button>
        <Button variant="danger" busy={reject.isPending} disabled={reason.trim() === ""} onClick={send}>
          {r.send} <Keys keys="mod+enter" />
        </Button>
      </div>
    </div>
  );
}
