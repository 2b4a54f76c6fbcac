import { useMutation } from "@tanstack/react-query";
import { CircleAlert, CircleCheckBig, KeyRound, Plus } from "lucide-react";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { asApiError } from "@/api/error";
import type { KeyTest, ListedModel, ProviderKind } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { Time } from "@/lib/time";
import { KeyForm, type NewKey } from "./key-form";
import { providers, words } from "./strings";

/** A key as it may be shown. */
export interface ShownKey {
  hint: string;
  baseUrl: string | null;
  updatedAt: string;
  lastUsedAt: string | null;
  models: ListedModel[];
}

/** One provider with the key that is in place, if one is, and what can be done with it. */
export function KeyCard({
  provider,
  credential,
  none,
  badge,
  aside,
  removed,
  testable,
  calls,
}: {
  provider: ProviderKind;
  credential: ShownKey | null;
  /** What holds without one. */
  none: string;
  badge?: ReactNode;
  aside?: ReactNode;
  /** What deleting it means. */
  removed: string;
  /** Whether there is something to test: the key itself, or one that stands in for it. */
  testable: boolean;
  calls: {
    put: (key: NewKey) => Promise<unknown>;
    remove: () => Promise<unknown>;
    test: () => Promise<KeyTest>;
  };
}) {
  const id = useId();
  const { name, what, keyless } = providers[provider];
  const [editing, setEditing] = useState(false);
  const [removing, setRemoving] = useState(false);
  const test = useMutation({ mutationFn: calls.test });
  // The focus goes back to what opened the form.
  const opener = useRef<HTMLButtonElement>(null);
  const [returns, setReturns] = useState(false);
  const close = () => {
    setEditing(false);
    setReturns(true);
  };
  useEffect(() => {
    if (!returns || editing) return;
    opener.current?.focus();
    setReturns(false);
  }, [returns, editing]);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out like this, and it is no single field
    <div
      role="group"
      aria-labelledby={id}
      className="rounded-xl border border-line bg-surface p-4 shadow-card"
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <KeyRound aria-hidden className="size-5 text-faint" />
        <div className="min-w-0 flex-1 basis-52">
          <h3 id={id} className="font-medium text-sm">
            {name}
          </h3>
          <p className="text-muted text-xs">{what}</p>
          <p className="mt-0.5 text-faint text-xs">
            {credential ? (
              <>
                {credential.hint === "" ? words.keyless : <code>•••• {credential.hint}</code>}, {words.placed}{" "}
                <Time at={credential.updatedAt} />
                {aside}
                {", "}
                {credential.lastUsedAt ? (
                  <>
                    {words.used} <Time at={credential.lastUsedAt} />
                  </>
                ) : (
                  words.unused
                )}
              </>
            ) : (
              none
            )}
          </p>
        </div>
        {badge}
        {!editing && (
          <div className="flex gap-1.5">
            {testable && (
              <Button
                size="sm"
                busy={test.isPending}
                aria-label={words.testOf(name)}
                onClick={() => test.mutate()}
              >
                {words.test}
              </Button>
            )}
            {credential ? (
              <>
                <Button
                  ref={opener}
                  size="sm"
                  aria-label={words.replaceOf(name)}
                  onClick={() => setEditing(true)}
                >
                  {words.replace}
                </Button>
                <Button
                  size="sm"
                  variant="ghost"
                  className="text-red hover:text-red"
                  aria-label={words.removeOf(name)}
                  onClick={() => setRemoving(true)}
                >
                  {words.remove}
                </Button>
              </>
            ) : (
              <Button ref={opener} size="sm" aria-label={words.addOf(name)} onClick={() => setEditing(true)}>
                <Plus /> {words.add}
              </Button>
            )}
          </div>
        )}
      </div>
      {credential?.baseUrl && (
        <p className="mt-2 break-all text-faint text-xs">
          {words.at} <code>{credential.baseUrl}</code>
        </p>
      )}
      {credential && keyless && <ServerModels models={credential.models} />}
      <div aria-live="polite">
        {test.data && (
          <p className={`mt-3 flex gap-1.5 text-sm ${test.data.ok ? "text-green" : "text-red"}`}>
            {test.data.ok ? (
              <CircleCheckBig aria-hidden className="mt-0.5 size-4 shrink-0" />
            ) : (
              <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
            )}
            <span className="min-w-0 [overflow-wrap:anywhere]">{test.data.message}</span>
          </p>
        )}
        {test.isError && (
          <div className="mt-3">
            <FormError error={asApiError(test.error)} />
          </div>
        )}
      </div>
      {editing && (
        <KeyForm
          provider={provider}
          baseUrl={credential?.baseUrl ?? null}
          save={calls.put}
          onCancel={close}
          onSaved={() => {
            close();
            test.reset();
            toast.done(words.saved);
          }}
        />
      )}
      <Confirm
        open={removing}
        onOpenChange={setRemoving}
        title={words.removeTitle}
        confirm={words.remove}
        danger
        onConfirm={async () => {
          try {
            await calls.remove();
            test.reset();
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {removed}
      </Confirm>
    </div>
  );
}

/** The models that a server listed. */
function ServerModels({ models }: { models: ListedModel[] }) {
  if (models.length === 0) return <p className="mt-2 text-faint text-xs">{words.noModels}</p>;
  return (
    <details className="mt-2 text-xs">
      <summary className="w-fit cursor-pointer rounded text-muted hover:text-ink">
        {words.models(models.length)}
      </summary>
      <p className="mt-1 text-faint">{words.modelNames}</p>
      <ul className="mt-1 flex max-h-48 flex-wrap gap-1 overflow-y-auto scroll-thin">
        {models.map((model) => (
          <li key={model.id} className="rounded border border-line px-1.5 py-0.5">
            <code className="break-all">{model.id}</code>
          </li>
        ))}
      </ul>
    </details>
  );
}
