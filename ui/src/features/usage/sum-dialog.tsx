import { type FormEvent, useId, useState } from "react";
import { asApiError } from "@/api/error";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { t } from "@/strings";
import { dollarsOf, microsOf } from "./money";
import { budgets } from "./strings";

/** Asks for a sum of money. */
export function SumDialog({
  open,
  onOpenChange,
  title,
  help,
  value,
  optional,
  save,
  onSave,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  help?: string;
  value: number | null;
  /** Whether it may be left empty. */
  optional?: boolean;
  save?: string;
  onSave: (micros: number | null) => Promise<unknown>;
}) {
  const [text, setText] = useState(value === null ? "" : dollarsOf(value));
  const [complaint, setComplaint] = useState<string>();
  const [error, setError] = useState<ReturnType<typeof asApiError> | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useId();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const empty = text.trim() === "";
    const micros = microsOf(text);
    if (empty ? !optional : micros === null || micros === 0) {
      setComplaint(budgets.bad);
      return;
    }
    setBusy(true);
    try {
      await onSave(empty ? null : micros);
      onOpenChange(false);
    } catch (cause) {
      setError(asApiError(cause));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={title}
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>{t.common.cancel}</Button>
          <Button type="submit" form={form} variant="primary" busy={busy}>
            {save ?? budgets.save}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} noValidate className="flex flex-col gap-3">
        <Field label={budgets.dollars} help={help} error={complaint}>
          <Input
            inputMode="decimal"
            autoComplete="off"
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              setComplaint(undefined);
            }}
          />
        </Field>
        <FormError error={error} />
      </form>
    </Dialog>
  );
}
