import { type FormEvent, useState } from "react";
import { asApiError } from "@/api/error";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { t } from "@/strings";
import { useStartService } from "./queries";
import { v } from "./strings";

/** What a form begins with. */
export interface Wish {
  name?: string;
  command?: string;
  port?: number | undefined;
}

/** Asks for a service to be started. */
export function StartForm({ runId, wish, onDone }: { runId: string; wish: Wish; onDone: () => void }) {
  const start = useStartService(runId);
  const [name, setName] = useState(wish.name ?? "web");
  const [command, setCommand] = useState(wish.command ?? "");
  const [port, setPort] = useState(wish.port === undefined ? "" : String(wish.port));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const given = { name: name.trim(), command: command.trim() };
    start.mutate(port.trim() === "" ? given : { ...given, port: Number(port) }, { onSuccess: onDone });
  };
  return (
    <form
      onSubmit={submit}
      className="flex flex-col gap-4 rounded-xl border border-line bg-surface p-4 shadow-card"
    >
      <div className="grid gap-4 @lg:grid-cols-[1fr_2fr_auto]">
        <Field label={v.name} help={v.nameHelp}>
          <Input
            value={name}
            onChange={(event) => setName(event.target.value)}
            required
            maxLength={40}
            pattern="[a-z0-9][a-z0-9\-]*"
            autoCapitalize="off"
            spellCheck={false}
          />
        </Field>
        <Field label={v.command} help={v.limit}>
          <Input
            value={command}
            onChange={(event) => setCommand(event.target.value)}
            required
            autoFocus
            placeholder="npm run dev"
            autoCapitalize="off"
            spellCheck={false}
            className="font-mono text-xs"
          />
        </Field>
        <Field label={v.port} help={v.portHelp} optional>
          <Input
            type="number"
            min={1}
            max={65535}
            value={port}
            onChange={(event) => setPort(event.target.value)}
            className="@lg:max-w-28"
          />
        </Field>
      </div>
      {start.isError && <FormError error={asApiError(start.error)} />}
      <div className="flex gap-2">
        <Button type="submit" variant="primary" busy={start.isPending}>
          {v.start}
        </Button>
        <Button variant="ghost" onClick={onDone}>
          {t.common.cancel}
        </Button>
      </div>
    </form>
  );
}
