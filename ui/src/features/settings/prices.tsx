import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { KnownPrice, PriceRow, ProviderKind } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Confirm, Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { headCell, TableCard } from "@/components/ui/table";
import { toast } from "@/components/ui/toast";
import { Unsaved } from "@/components/unsaved";
import { dollarsOf, microsOf } from "@/features/usage/money";
import { budgets, prices as words } from "@/features/usage/strings";
import { t } from "@/strings";
import { providers } from "./keys/strings";

const PARTS = ["input", "output", "cacheRead", "cacheWrite"] as const;
const CALLED: ProviderKind[] = ["anthropic", "openai", "google", "compatible"];

/** What models cost: what admins say, and the built-in table. */
export function Prices() {
  const prices = useQuery(queries.prices());
  const [editing, setEditing] = useState<PriceRow | "new" | null>(null);
  const [deleting, setDeleting] = useState<PriceRow | null>(null);
  const client = useQueryClient();
  const changed = () =>
    Promise.all([keys.prices, keys.models].map((queryKey) => client.invalidateQueries({ queryKey })));
  return (
    <Section id="prices" title={words.title} lead={words.lead}>
      {prices.isError ? (
        <ErrorState error={prices.error} onRetry={() => prices.refetch()} className="py-6" />
      ) : prices.data === undefined ? (
        <Skeleton className="h-28 rounded-xl" />
      ) : (
        <div className="flex flex-col gap-4">
          {prices.data.items.length === 0 ? (
            <p className="text-muted text-sm">{words.none}</p>
          ) : (
            <PriceTable
              name={words.own}
              rows={prices.data.items.map((row) => ({
                key: row.id,
                model: row.pattern,
                provider: row.provider,
                row,
                actions: (
                  <>
                    <Button
                      size="sm"
                      aria-label={`${words.change}: ${row.pattern}`}
                      onClick={() => setEditing(row)}
                    >
                      {words.change}
                    </Button>
                    <Button
                      size="icon-sm"
                      variant="ghost"
                      aria-label={`${words.remove}: ${row.pattern}`}
                      onClick={() => setDeleting(row)}
                    >
                      <Trash2 />
                    </Button>
                  </>
                ),
              }))}
            />
          )}
          <Button className="self-start" onClick={() => setEditing("new")}>
            <Plus /> {words.add}
          </Button>
          <details className="text-sm">
            <summary className="cursor-pointer text-muted hover:text-ink">{words.builtIn}</summary>
            <div className="mt-3">
              <PriceTable
                name={words.builtIn}
                rows={prices.data.builtIn.map((row) => ({
                  key: row.model,
                  model: row.model,
                  provider: row.provider,
                  row,
                  actions: null,
                }))}
              />
            </div>
          </details>
        </div>
      )}
      {editing !== null && (
        <PriceDialog
          price={editing === "new" ? null : editing}
          onClose={() => setEditing(null)}
          onSaved={async () => {
            await changed();
            toast.done(words.saved);
          }}
        />
      )}
      <Confirm
        open={deleting !== null}
        onOpenChange={() => setDeleting(null)}
        title={words.removeAsk(deleting?.pattern ?? "")}
        confirm={words.remove}
        danger
        onConfirm={async () => {
          try {
            await api.deletePrice(deleting?.id ?? "");
            await changed();
            toast.done(words.deleted);
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {words.removeWhat}
      </Confirm>
    </Section>
  );
}

interface Row {
  key: string;
  model: string;
  provider: ProviderKind;
  row: Pick<KnownPrice, (typeof PARTS)[number]>;
  actions: React.ReactNode;
}

function PriceTable({ name, rows }: { name: string; rows: Row[] }) {
  return (
    <TableCard label={name}>
      <thead>
        <tr className="border-line border-b text-left">
          <th scope="col" className={headCell}>
            {words.pattern}
          </th>
          {PARTS.map((part) => (
            <th key={part} scope="col" className={`${headCell} text-right`}>
              {words[part]}
            </th>
          ))}
          <th scope="col" className={headCell}>
            <span className="sr-only">{words.change}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ key, model, provider, row, actions }) => (
          <tr key={key} className="border-line border-b last:border-0">
            <th scope="row" className="min-w-36 px-3 py-2 text-left font-normal">
              <span className="break-all font-mono text-xs">{model}</span>
              <span className="block text-faint text-xs">{providers[provider].name}</span>
            </th>
            {PARTS.map((part) => (
              <td key={part} className="num px-3 py-2 text-right">
                ${dollarsOf(row[part])}
              </td>
            ))}
            <td className="px-3 py-2">
              <span className="flex justify-end gap-1">{actions}</span>
            </td>
          </tr>
        ))}
      </tbody>
    </TableCard>
  );
}

function PriceDialog({
  price,
  onClose,
  onSaved,
}: {
  price: PriceRow | null;
  onClose: () => void;
  onSaved: () => Promise<unknown>;
}) {
  const [provider, setProvider] = useState<ProviderKind>(price?.provider ?? "anthropic");
  const [pattern, setPattern] = useState(price?.pattern ?? "");
  const [before] = useState<Record<string, string>>(() =>
    Object.fromEntries(PARTS.map((part) => [part, price ? dollarsOf(price[part]) : ""])),
  );
  const [parts, setParts] = useState(before);
  const [wrong, setWrong] = useState<string[]>([]);
  const form = useId();
  const save = useMutation({
    mutationFn: async (sums: Record<(typeof PARTS)[number], number>) => {
      await api.putPrice({ provider, pattern, ...sums });
      await onSaved();
    },
    onSuccess: onClose,
  });
  const typed = pattern !== (price?.pattern ?? "") || PARTS.some((part) => parts[part] !== before[part]);
  const error = save.error && asApiError(save.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const read = PARTS.map((part) => [part, microsOf(parts[part] ?? "")] as const);
    const bad = read.filter(([, micros]) => micros === null).map(([part]) => part);
    setWrong(bad);
    if (bad.length === 0) save.mutate(Object.fromEntries(read) as Record<(typeof PARTS)[number], number>);
  };
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={price ? words.change : words.add}
      footer={
        <>
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" form={form} variant="primary" busy={save.isPending}>
            {budgets.save}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} noValidate className="grid grid-cols-2 gap-4">
        <Unsaved dirty={typed && !save.isSuccess} />
        <Field label={words.provider} className="col-span-2" error={error?.field("provider")}>
          <Select
            value={provider}
            onChange={setProvider}
            disabled={price !== null}
            options={CALLED.map((value) => ({ value, label: providers[value].name }))}
          />
        </Field>
        <Field
          label={words.pattern}
          help={words.patternHelp}
          className="col-span-2"
          error={error?.field("pattern")}
        >
          <Input
            value={pattern}
            disabled={price !== null}
            autoComplete="off"
            spellCheck={false}
            placeholder="gpt-6*"
            onChange={(event) => setPattern(event.target.value)}
          />
        </Field>
        {PARTS.map((part) => (
          <Field
            key={part}
            label={words[part]}
            error={wrong.includes(part) ? budgets.bad : error?.field(part)}
          >
            <Input
              inputMode="decimal"
              autoComplete="off"
              value={parts[part] ?? ""}
              onChange={(event) => setParts((now) => ({ ...now, [part]: event.target.value }))}
            />
          </Field>
        ))}
        <div className="col-span-2">
          <FormError error={error && error.fields.length === 0 ? error : null} />
        </div>
      </form>
    </Dialog>
  );
}
