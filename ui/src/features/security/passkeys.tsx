import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Fingerprint, Pencil, Plus, Trash2 } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { ApiError, asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { FactorList, Passkey } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Confirm, Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { declined, knowsPasskeys, makePasskey } from "@/lib/passkeys";
import { Time } from "@/lib/time";
import { t } from "@/strings";
import { factorCalls } from "./calls";
import { words } from "./strings";

const say = words.passkeys;

/** The member's passkeys. `onMade` is told when there is one more, with the recovery codes that may come with it. */
export function Passkeys({
  factors,
  onMade,
}: {
  factors: FactorList;
  onMade: (codes: string[] | null) => void;
}) {
  const [adding, setAdding] = useState(false);
  const hindrance = !factors.passkeysHere ? say.notHere : knowsPasskeys() ? null : say.unknown;
  return (
    <div className="flex flex-col items-start gap-3 px-4 py-3.5">
      <div>
        <p className="font-medium text-sm">{say.title}</p>
        <p className="text-faint text-xs">{say.lead}</p>
      </div>
      {factors.passkeys.length > 0 && (
        <ul aria-label={say.title} className="w-full divide-y divide-line rounded-lg border border-line">
          {factors.passkeys.map((passkey) => (
            <Row key={passkey.id} passkey={passkey} />
          ))}
        </ul>
      )}
      {hindrance === null ? (
        <Button onClick={() => setAdding(true)}>
          <Plus /> {say.add}
        </Button>
      ) : (
        <p className="text-muted text-sm">{hindrance}</p>
      )}
      <NameDialog
        open={adding}
        onOpenChange={setAdding}
        title={say.add}
        confirm={say.create}
        name=""
        save={async (name) => {
          const { publicKey } = await factorCalls.beginPasskey();
          const credential = await makePasskey(publicKey).catch((cause) => {
            throw new ApiError({ status: 0, code: "passkey", detail: whyNot(cause) });
          });
          const made = await factorCalls.createPasskey(name, credential);
          setAdding(false);
          onMade(made.recoveryCodes);
        }}
      />
    </div>
  );
}

const whyNot = (cause: unknown) =>
  cause instanceof DOMException && cause.name === "InvalidStateError"
    ? say.known
    : declined(cause) || !(cause instanceof Error)
      ? say.failed
      : `${say.failed} ${cause.message}`;

function Row({ passkey }: { passkey: Passkey }) {
  const client = useQueryClient();
  const [deed, setDeed] = useState<"rename" | "remove" | null>(null);
  const fresh = () => {
    void client.invalidateQueries({ queryKey: keys.factors });
    void client.invalidateQueries({ queryKey: keys.me });
  };
  return (
    <li className="flex items-center gap-3 px-3 py-2.5 text-sm">
      <Fingerprint aria-hidden className="size-5 shrink-0 text-faint" />
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium">{passkey.name}</p>
        <p className="text-faint text-xs">
          {say.made} <Time at={passkey.createdAt} /> ·{" "}
          {passkey.lastUsedAt ? (
            <>
              {say.used} <Time at={passkey.lastUsedAt} />
            </>
          ) : (
            say.unused
          )}
        </p>
      </div>
      <Button
        variant="ghost"
        size="icon-sm"
        aria-label={say.rename(passkey.name)}
        onClick={() => setDeed("rename")}
      >
        <Pencil />
      </Button>
      <Button
        variant="ghost"
        size="icon-sm"
        aria-label={say.remove(passkey.name)}
        onClick={() => setDeed("remove")}
      >
        <Trash2 />
      </Button>
      <NameDialog
        open={deed === "rename"}
        onOpenChange={(open) => setDeed(open ? "rename" : null)}
        title={say.renameTitle}
        confirm={t.common.save}
        name={passkey.name}
        save={async (name) => {
          await factorCalls.renamePasskey(passkey.id, name);
          setDeed(null);
          fresh();
          toast.done(say.renamed);
        }}
      />
      <Confirm
        open={deed === "remove"}
        onOpenChange={(open) => setDeed(open ? "remove" : null)}
        danger
        title={say.removeTitle(passkey.name)}
        confirm={say.removeConfirm}
        onConfirm={async () => {
          try {
            await factorCalls.deletePasskey(passkey.id);
            fresh();
            toast.done(say.removed);
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {say.removeText}
      </Confirm>
    </li>
  );
}

function NameDialog({
  open,
  onOpenChange,
  title,
  confirm,
  name,
  save,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  confirm: string;
  name: string;
  save: (name: string) => Promise<void>;
}) {
  const form = useId();
  const saving = useMutation({ mutationFn: save });
  const error = saving.error && asApiError(saving.error);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (saving.isPending) return;
    saving.mutate(String(new FormData(event.currentTarget).get("name") ?? ""));
  };
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        saving.reset();
        onOpenChange(next);
      }}
      title={title}
      width="sm"
      footer={
        <>
          <Button onClick={() => onOpenChange(false)}>{t.common.cancel}</Button>
          <Button type="submit" form={form} variant="primary" busy={saving.isPending}>
            {confirm}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4 px-5 pt-2 pb-4">
        <Field label={say.name} help={say.nameHelp} error={error?.field("name")}>
          <Input name="name" defaultValue={name} maxLength={100} required autoFocus />
        </Field>
        <FormError error={error && error.field("name") === undefined ? error : null} />
      </form>
    </Dialog>
  );
}
