import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMe } from "@/api/queries";
import type { RightName, Scope } from "@/api/types";
import { FormError } from "@/components/form-error";
import { SecretOnce } from "@/components/secret-once";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { t } from "@/strings";
import { lifetimes, scope as scopeWords, security } from "./strings";

const words = security.tokens;
const DAY = 24 * 60 * 60 * 1000;
const FORM = "token-form";

/** The right without which a scope is of no use. */
const NEEDS: Record<Scope, RightName> = {
  read: "read",
  write: "build",
  run: "run",
  knowledge: "knowledge",
  git: "git",
  admin: "administer",
};

/** Makes a token, and shows it once. */
export function TokenDialog({
  open,
  onOpenChange,
  scope,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** What it is chosen to be good for at first; reading, where nothing is asked for. */
  scope?: string | undefined;
}) {
  const [made, setMade] = useState<string | null>(null);
  const change = (next: boolean) => {
    onOpenChange(next);
    if (!next) setMade(null);
  };
  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title={made === null ? words.make : words.madeTitle}
      footer={
        made === null ? (
          <>
            <Button onClick={() => change(false)}>{t.common.cancel}</Button>
            <Button type="submit" form={FORM} variant="primary">
              {words.submit}
            </Button>
          </>
        ) : (
          <Button onClick={() => change(false)}>{words.done}</Button>
        )
      }
    >
      <div className="px-5 pt-2 pb-4">
        {made === null ? (
          <TokenForm first={isScope(scope) ? scope : "read"} onMade={setMade} />
        ) : (
          <SecretOnce label={words.madeLabel} value={made} note={words.once} />
        )}
      </div>
    </Dialog>
  );
}

const isScope = (scope: string | undefined): scope is Scope =>
  scope !== undefined && Object.hasOwn(NEEDS, scope);

function TokenForm({ first, onMade }: { first: Scope; onMade: (token: string) => void }) {
  const client = useQueryClient();
  const rights = useMe().data?.rights ?? [];
  const id = useId();
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<Scope>>(new Set([first]));
  const [days, setDays] = useState<(typeof lifetimes)[number]["value"]>("90");
  const offered = (Object.keys(NEEDS) as Scope[]).filter((scope) => rights.includes(NEEDS[scope]));
  const make = useMutation({
    mutationFn: () =>
      api.createToken({
        name: name.trim(),
        scopes: offered.filter((scope) => chosen.has(scope)),
        expiresAt: new Date(Date.now() + Number(days) * DAY).toISOString(),
      }),
    onSuccess: (token) => {
      onMade(token.token);
      void client.invalidateQueries({ queryKey: keys.tokens });
    },
  });
  const error = make.error && asApiError(make.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!make.isPending) make.mutate();
  };
  return (
    <form id={FORM} onSubmit={submit} className="flex flex-col gap-4">
      <Field label={words.name} error={error?.field("name")}>
        <Input
          value={name}
          onChange={(event) => setName(event.target.value)}
          placeholder={words.namePlaceholder}
          maxLength={100}
          required
          autoFocus
        />
      </Field>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1.5 font-medium text-sm">{words.scopes}</legend>
        {offered.map((scope) => (
          <label key={scope} className="flex items-start gap-2.5 text-sm">
            <input
              type="checkbox"
              checked={chosen.has(scope)}
              onChange={(event) => {
                const next = new Set(chosen);
                if (event.target.checked) next.add(scope);
                else next.delete(scope);
                setChosen(next);
              }}
              aria-labelledby={`${id}-${scope}`}
              aria-describedby={`${id}-${scope}-may`}
              className="mt-0.5 size-4 shrink-0 accent-(--accent)"
            />
            <span>
              <span id={`${id}-${scope}`} className="font-medium">
                {scopeWords[scope].label}
              </span>
              <span id={`${id}-${scope}-may`} className="block text-faint text-xs">
                {scopeWords[scope].may}
              </span>
            </span>
          </label>
        ))}
        {error?.field("scopes") && (
          <p role="alert" className="text-red text-xs">
            {error.field("scopes")}
          </p>
        )}
      </fieldset>
      <Field label={words.ends} error={error?.field("expiresAt")}>
        <Select value={days} onChange={setDays} options={[...lifetimes]} />
      </Field>
      <FormError error={error && error.fields.length === 0 ? error : null} />
    </form>
  );
}
