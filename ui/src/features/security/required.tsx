import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries, useMay } from "@/api/queries";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Skeleton } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { words } from "./strings";

/** Whether everyone in the team needs a second factor. Owners decide it; admins see it. */
export function RequiredFactor() {
  const client = useQueryClient();
  const setting = useQuery(queries.secondFactor());
  const may = useMay("own");
  const save = useMutation({
    mutationFn: (required: boolean) => api.putSecondFactor({ required }),
    onSuccess: (saved) => {
      client.setQueryData(keys.secondFactor, saved);
      toast.done(words.team.saved);
    },
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  return (
    <Section id="second-factor" title={words.team.title} lead={words.team.lead}>
      {setting.isError ? (
        <ErrorState error={setting.error} onRetry={() => setting.refetch()} className="py-6" />
      ) : setting.data === undefined ? (
        <Skeleton className="h-8 rounded-xl" />
      ) : (
        <Switch
          checked={save.isPending ? save.variables : setting.data.required}
          onChange={(required) => save.mutate(required)}
          disabled={!may || save.isPending}
          label={words.team.required}
          {...(may ? {} : { help: words.team.ownerOnly })}
        />
      )}
    </Section>
  );
}
