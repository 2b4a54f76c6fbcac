import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { asApiError } from "@/api/error";
import { queryClient } from "@/app/query-client";
import { FormError } from "@/components/form-error";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { hub } from "./calls";
import { hubKeys } from "./keys";
import { hubQueries } from "./queries";
import { words } from "./strings";
import type { Rule } from "./types";

const w = words.rule;
const NUMBERS = ["runs", "members", "successPercent"] as const;

/** When a learning is accepted without a member's look. For admins. */
export default function RuleDialog({
  open,
  onOpenChange,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const rule = useQuery(hubQueries.rule());
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={w.title} description={w.text}>
      {rule.data !== undefined ? (
        <Form rule={rule.data} onDone={() => onOpenChange(false)} />
      ) : rule.isError ? (
        <ErrorState error={rule.error} onRetry={() => void rule.refetch()} />
      ) : (
        <Skeleton className="m-5 h-32" />
      )}
    </Dialog>
  );
}

function Form({ rule, onDone }: { rule: Rule; onDone: () => void }) {
  const [on, setOn] = useState(rule.on);
  const [numbers, setNumbers] = useState<Record<(typeof NUMBERS)[number], string>>({
    runs: String(rule.runs),
    members: String(rule.members),
    successPercent: String(rule.successPercent),
  });
  const save = useMutation({
    mutationFn: hub.putRule,
    onSuccess: (saved) => {
      queryClient.setQueryData(hubKeys.rule, saved);
      toast.done(w.saved);
      onDone();
    },
  });
  const error = save.error === null ? null : asApiError(save.error);
  const { runs, members, successPercent } = numbers;
  return (
    <form
      className="flex flex-col gap-4 px-5 pt-2 pb-5"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate({
          on,
          runs: Number(runs),
          members: Number(members),
          successPercent: Number(successPercent),
        });
      }}
    >
      <Switch checked={on} onChange={setOn} label={w.on} />
      <div className="grid gap-4 sm:grid-cols-3">
        {NUMBERS.map((name) => (
          <Field key={name} label={w[name]} error={error?.field(name)}>
            <Input
              type="number"
              min={1}
              max={name === "successPercent" ? 100 : 1_000}
              required
              disabled={!on}
              value={numbers[name]}
              onChange={(event) => setNumbers({ ...numbers, [name]: event.target.value })}
            />
          </Field>
        ))}
      </div>
      <FormError error={error} />
      <div className="flex justify-end gap-2">
        <Button variant="ghost" onClick={onDone}>
          {words.cancel}
        </Button>
        <Button type="submit" variant="primary" busy={save.isPending}>
          {w.save}
        </Button>
      </div>
    </form>
  );
}
