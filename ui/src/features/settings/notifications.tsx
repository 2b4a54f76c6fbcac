import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { MailChoice } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { kind as kinds, words } from "./webhooks/strings";
import { Webhooks } from "./webhooks/webhooks";

/** What a member is told, and by which way. */
export function NotificationSettings() {
  return (
    <Section id="notifications" title={words.title} lead={words.lead}>
      <div className="flex flex-col gap-6">
        <Ways />
        <div>
          <h3 className="font-medium text-sm">{words.hooks}</h3>
          <p className="mb-3 text-muted text-sm">{words.hooksLead}</p>
          <Webhooks team={false} />
        </div>
      </div>
    </Section>
  );
}

/** The team's webhooks, for admins. */
export function TeamWebhooks() {
  return (
    <Section id="team-webhooks" title={words.teamTitle} lead={words.teamLead}>
      <Webhooks team />
    </Section>
  );
}

function Ways() {
  const client = useQueryClient();
  const off = useId();
  const choices = useQuery(queries.mailChoices());
  const choose = useMutation({
    mutationFn: (choice: MailChoice) => api.putMailChoices([choice]),
    onSuccess: (now) => client.setQueryData(keys.mailChoices, now),
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  if (choices.isError)
    return <ErrorState error={choices.error} onRetry={() => void choices.refetch()} className="py-6" />;
  if (choices.data === undefined) return <Skeleton className="h-180 w-full rounded-xl" />;
  const { items, mailOn } = choices.data;
  return (
    <div>
      {!mailOn && (
        <p id={off} className="mb-2 text-muted text-sm">
          {words.mailOff}
        </p>
      )}
      <table className="w-full overflow-hidden rounded-xl border border-line bg-surface text-sm shadow-card">
        <caption className="sr-only">{words.caption}</caption>
        <thead>
          <tr className="border-line border-b text-left text-faint text-xs">
            <th scope="col" className="px-4 py-2 font-medium">
              {words.what}
            </th>
            <th scope="col" className="px-3 py-2 font-medium">
              {words.page}
            </th>
            <th scope="col" className="px-4 py-2 font-medium">
              {words.mail}
            </th>
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {items.map((choice) => (
            <tr key={choice.kind}>
              <th scope="row" className="px-4 py-2 text-left font-normal">
                <span className="font-medium">{kinds[choice.kind].label}</span>
                <span className="block text-faint text-xs">{kinds[choice.kind].help}</span>
              </th>
              <td className="px-3 py-2 text-faint text-xs">{words.always}</td>
              <td className="px-4 py-2">
                <input
                  type="checkbox"
                  // What was chosen holds once mail is on; until then nothing is mailed.
                  checked={choice.mail && mailOn}
                  disabled={!mailOn}
                  aria-describedby={mailOn ? undefined : off}
                  aria-label={words.mailOf(kinds[choice.kind].label)}
                  onChange={(event) => choose.mutate({ kind: choice.kind, mail: event.target.checked })}
                  className="block size-4 accent-(--accent) disabled:opacity-50"
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
