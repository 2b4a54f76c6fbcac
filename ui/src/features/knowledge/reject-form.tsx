import type { KeyboardEvent } from "react";
import { asApiError } from "@/api/error";
import { Button } from "@/components/ui/button";
import { Field, FieldTextarea } from "@/components/ui/input";
import { Keys } from "@/components/ui/kbd";
import { own } from "@/lib/persistent";
import { useReject } from "./deeds";
import { words } from "./strings";
import type { Learning } from "./types";

const r = words.review;

/** Asks why a learning is wrong, and rejects it. What is typed waits for whoever looks elsewhere meanwhile. */
export function RejectForm({
  item,
  onCancel,
  onDone,
}: {
  item: Learning;
  onCancel: () => void;
  onDone: () => void;
}) {
  const reasons = own<string>(`reject.${item.id}`, "");
  const reason = reasons.use();
  const reject = useReject();
  const send = () => {
    const why = reason.trim();
    if (reject.isPending || why === "") return;
    // Whoever was refused is told why, and stays where they are.
    reject.mutateAsync({ item, reason: why }, { onSuccess: onDone }).then(
      () => reasons.set(""),
      () => {},
    );
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
          onChange={(event) => reasons.set(event.target.value)}
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
