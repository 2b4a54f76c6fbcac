import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect } from "react";
import { asApiError } from "@/api/error";
import type { QrPicture } from "@/api/types";
import { FormError } from "@/components/form-error";
import { SecretOnce } from "@/components/secret-once";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { t } from "@/strings";
import { factorCalls } from "./calls";
import { words } from "./strings";

const FORM = "totp-form";
const QUIET = 4;

/** Sets up an authenticator app: shows its secret, and takes a first code. */
export function AppDialog({
  open,
  onOpenChange,
  onDone,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onDone: (codes: string[] | null) => void;
}) {
  const begin = useMutation({ mutationFn: factorCalls.beginTotp });
  const enable = useMutation({
    mutationFn: factorCalls.enableTotp,
    onSuccess: ({ recoveryCodes }) => onDone(recoveryCodes),
  });
  const { mutate, reset } = begin;
  const forget = enable.reset;
  useEffect(() => {
    // The secret is made when the window opens, and forgotten when it closes.
    if (open) mutate();
    else {
      reset();
      forget();
    }
  }, [open, mutate, reset, forget]);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    enable.mutate(String(new FormData(event.currentTarget).get("code") ?? ""));
  };
  const failed = begin.error && asApiError(begin.error);
  const error = enable.error && asApiError(enable.error);
  const begun = begin.data;
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={words.app.setUpTitle}
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>{t.common.cancel}</Button>
          <Button
            type="submit"
            form={FORM}
            variant="primary"
            busy={enable.isPending}
            disabled={begun === undefined}
          >
            {words.app.enable}
          </Button>
        </>
      }
    >
      <form id={FORM} onSubmit={submit} className="flex flex-col gap-4 px-5 pt-2 pb-4">
        <FormError error={failed} />
        {begun === undefined && !failed && <Skeleton className="h-72" />}
        {begun !== undefined && (
          <>
            <p className="text-muted text-sm">{words.app.scan}</p>
            <Qr picture={begun.qr} />
            <SecretOnce label={words.app.key} value={begun.secret} note={words.app.once} />
            <Field label={words.app.code} error={error?.field("code")}>
              <Input
                name="code"
                inputMode="numeric"
                autoComplete="one-time-code"
                pattern="[0-9 ]{6,8}"
                maxLength={8}
                required
                autoFocus
                className="max-w-40 font-mono tracking-widest"
              />
            </Field>
            <FormError error={error && error.fields.length === 0 ? error : null} />
          </>
        )}
      </form>
    </Dialog>
  );
}

/** Dark on light whatever the theme is: not every app reads it the other way round. */
function Qr({ picture }: { picture: QrPicture }) {
  const side = picture.size + 2 * QUIET;
  return (
    <svg
      role="img"
      aria-label={words.app.qr}
      viewBox={`${-QUIET} ${-QUIET} ${side} ${side}`}
      shapeRendering="crispEdges"
      className="size-48 self-center rounded-md border border-line bg-white"
    >
      <path d={picture.path} fill="black" />
    </svg>
  );
}
