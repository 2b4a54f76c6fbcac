import { type FormEvent, useEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import { useMe } from "@/api/queries";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { t } from "@/strings";
import { ByProvider } from "./by-provider";
import { identity } from "./identity";

/**
 * Asks for the password once more, or for an account by which the member signs in. It is the browser's own dialog: it lies over every other window, whatever that is, and
 * gives the focus back to it.
 */
export default function IdentityDialog() {
  const asked = identity.use();
  const me = useMe().data;
  const hasPassword = me?.hasPassword ?? true;
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    const element = dialog.current;
    if (element === null) return;
    if (!element.open) element.showModal();
    // The windows beneath and the page's keys listen on the document.
    const keep = (event: KeyboardEvent) => event.stopPropagation();
    element.addEventListener("keydown", keep);
    return () => {
      element.removeEventListener("keydown", keep);
      element.close();
    };
  }, []);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (!hasPassword) return;
    const field = event.currentTarget.elements.namedItem("password") as HTMLInputElement;
    setBusy(true);
    setError(null);
    try {
      await api.confirm(field.value);
      asked?.settle(true);
    } catch (cause) {
      setError(asApiError(cause));
      setBusy(false);
      field.select();
      field.focus();
    }
  };

  const wrong = error?.field("password");
  return createPortal(
    <dialog
      ref={dialog}
      aria-labelledby="identity-title"
      aria-describedby="identity-why"
      onCancel={(event) => {
        event.preventDefault();
        asked?.settle(false);
      }}
      className="m-auto w-[min(26rem,calc(100vw-2rem))] rounded-xl bg-raised p-0 text-ink shadow-pop outline-none backdrop:bg-scrim"
    >
      <form onSubmit={submit}>
        <div className="flex flex-col gap-4 px-5 pt-5 pb-4">
          <div>
            <h2 id="identity-title" className="font-semibold text-lg">
              {t.identity.title}
            </h2>
            <p id="identity-why" className="mt-1 text-muted text-sm">
              {hasPassword ? t.identity.why : t.identity.whyProvider}
            </p>
          </div>
          {hasPassword ? (
            <>
              <input type="text" autoComplete="username" value={me?.email ?? ""} readOnly hidden />
              <Field label={t.identity.password} error={wrong}>
                <Input name="password" type="password" autoComplete="current-password" required autoFocus />
              </Field>
              <FormError error={wrong === undefined ? error : null} />
            </>
          ) : (
            <ByProvider names={me?.linked ?? []} onConfirmed={() => asked?.settle(true)} />
          )}
        </div>
        <div className="flex justify-end gap-2 border-line border-t px-5 py-3">
          <Button onClick={() => asked?.settle(false)}>{t.common.cancel}</Button>
          {hasPassword && (
            <Button type="submit" variant="primary" busy={busy}>
              {t.identity.confirm}
            </Button>
          )}
        </div>
      </form>
    </dialog>,
    document.body,
  );
}
