import { useMutation, useQuery } from "@tanstack/react-query";
import { MailWarning, Send } from "lucide-react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { queries } from "@/api/queries";
import type { Mail as Letter } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { Time } from "@/lib/time";
import { team } from "./strings";

const words = team.mail;

/** Whether the server sends mail, a mail to try it, and what could not be sent. */
export function Mail() {
  const mail = useQuery(queries.mail());
  return (
    <Section id="mail" title={words.title} lead={words.lead}>
      {mail.isError ? (
        <ErrorState error={mail.error} onRetry={() => mail.refetch()} className="py-6" />
      ) : mail.data === undefined ? (
        <Skeleton className="h-15 rounded-xl" />
      ) : mail.data.on ? (
        <div className="flex flex-col items-start gap-3 text-sm">
          <p>
            {words.through(mail.data.server ?? "", mail.data.from ?? "")}
            {mail.data.waiting > 0 && ` ${words.waiting(mail.data.waiting)}`}
          </p>
          <Try />
          {mail.data.troubles.length > 0 && (
            <ul
              aria-label={words.troubles}
              className="w-full divide-y divide-line rounded-xl border border-line bg-surface shadow-card"
            >
              {mail.data.troubles.map((letter) => (
                <Row key={letter.id} letter={letter} />
              ))}
            </ul>
          )}
        </div>
      ) : (
        <p className="text-muted text-sm">{words.off}</p>
      )}
    </Section>
  );
}

function Try() {
  const send = useMutation({
    mutationFn: () => api.testMail(),
    onSuccess: () => toast.done(words.tried),
  });
  return (
    <>
      <Button busy={send.isPending} onClick={() => send.mutate()}>
        <Send /> {words.try}
      </Button>
      <FormError error={send.error && asApiError(send.error)} />
    </>
  );
}

function Row({ letter }: { letter: Letter }) {
  return (
    <li className="flex items-start gap-3 px-4 py-3">
      <MailWarning aria-hidden className="mt-0.5 size-5 shrink-0 text-faint max-sm:hidden" />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <span className="min-w-0 break-all font-medium">{letter.recipient}</span>
          <Badge>{words.kind[letter.kind]}</Badge>
        </p>
        <p className="break-words text-muted">{letter.problem}</p>
        <p className="text-faint text-xs">
          {letter.status === "waiting" ? words.again : words.givenUp}{" "}
          <Time at={letter.endedAt ?? letter.nextAt} />
        </p>
      </div>
    </li>
  );
}
