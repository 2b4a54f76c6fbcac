import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { asApiError } from "@/api/error";
import type { ProviderKind } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { useUnsaved } from "@/lib/unsaved";
import { providers, words } from "./strings";

export interface NewKey {
  key: string;
  baseUrl?: string;
}

/** What is sent for what was typed. */
export function newKey(key: string, baseUrl: string | null): NewKey {
  const url = baseUrl?.trim() ?? "";
  return { key: key.trim(), ...(url === "" ? {} : { baseUrl: url }) };
}

/** Takes a key, and where its provider is. */
export function KeyForm({
  provider,
  baseUrl: before,
  save,
  onCancel,
  onSaved,
}: {
  provider: ProviderKind;
  baseUrl: string | null;
  save: (key: NewKey) => Promise<unknown>;
  onCancel: () => void;
  onSaved: () => void;
}) {
  const { placeholder, usual, keyless, kept } = providers[provider];
  const [key, setKey] = useState("");
  const [elsewhere, setElsewhere] = useState(before !== null || keyless === true);
  const [baseUrl, setBaseUrl] = useState(before ?? "");
  const saving = useMutation({
    mutationFn: () => save(newKey(key, elsewhere ? baseUrl : null)),
    onSuccess: onSaved,
  });
  const error = saving.error === null ? null : asApiError(saving.error);
  const dirty = key.trim() !== "" || baseUrl !== (before ?? "");
  useUnsaved(dirty && !saving.isSuccess);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate();
  };
  return (
    <form
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || dirty) return;
        event.preventDefault();
        onCancel();
      }}
      className="mt-4 flex flex-col gap-3 border-line border-t pt-4"
    >
      {keyless && (
        <Field label={words.baseUrl} help={words.serverHelp} error={error?.field("baseUrl")}>
          <Input
            type="url"
            value={baseUrl}
            onChange={(event) => setBaseUrl(event.target.value)}
            placeholder="http://localhost:11434/v1"
            required
            autoFocus
          />
        </Field>
      )}
      <Field label={kept ? words.token : words.key} optional={keyless ?? false} error={error?.field("key")}>
        <Input
          type="password"
          value={key}
          onChange={(event) => setKey(event.target.value)}
          placeholder={placeholder}
          autoComplete="off"
          spellCheck={false}
          required={!keyless}
          autoFocus={!keyless}
        />
      </Field>
      {!keyless && elsewhere && (
        <Field label={words.baseUrl} optional help={words.baseUrlHelp} error={error?.field("baseUrl")}>
          <Input
            type="url"
            value={baseUrl}
            onChange={(event) => setBaseUrl(event.target.value)}
            placeholder={usual ?? ""}
          />
        </Field>
      )}
      {!keyless && !kept && !elsewhere && (
        <button
          type="button"
          onClick={() => setElsewhere(true)}
          className="self-start rounded text-accent-text text-xs underline-offset-2 hover:underline"
        >
          {words.elsewhere}
        </button>
      )}
      <FormError error={error && error.fields.length === 0 ? error : null} />
      <div className="flex gap-2">
        <Button
          type="submit"
          variant="primary"
          busy={saving.isPending}
          disabled={keyless ? baseUrl.trim() === "" : key.trim() === ""}
        >
          {words.save}
        </Button>
        <Button onClick={onCancel}>{words.cancel}</Button>
      </div>
    </form>
  );
}
