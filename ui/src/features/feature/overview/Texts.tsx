import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Eraser, RotateCcw } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMay, useMembers } from "@/api/queries";
import type { Feature, FeatureText } from "@/api/types";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm, Dialog } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { keptDraft } from "@/features/editor/draft";
import { TextDiff } from "@/features/knowledge/text-diff-view";
import { cn } from "@/lib/cn";
import { Time } from "@/lib/time";
import { putFeature } from "@/live/apply";
import { rememberFeature } from "@/live/recent";
import { s } from "../strings";

const t = s.overview.texts;

/** What a card said before: who changed it and when, each text beside the present one, and the way back to one. */
export default function Texts({
  feature,
  texts,
  open,
  onOpenChange,
}: {
  feature: Feature;
  texts: FeatureText[];
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const mayBuild = useMay("build");
  const present = texts[0]?.number;
  const [chosen, setChosen] = useState<number | null>(null);
  const [asks, setAsks] = useState(false);
  const [asksToErase, setAsksToErase] = useState(false);
  const shown = texts.find((text) => text.number === chosen) ?? texts[1] ?? texts[0];
  const restore = useRestoreText(feature);
  const erase = useEraseText(feature);
  const typed = keptDraft(`feature.${feature.id}`);
  if (shown === undefined) return null;
  const take = () => restore.mutateAsync(shown.number);
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t.title} width="lg">
      <div className="grid items-start gap-4 px-5 pb-5 sm:grid-cols-[15rem_minmax(0,1fr)]">
        <ol
          aria-label={t.list}
          className="flex max-h-48 flex-col divide-y divide-line overflow-y-auto rounded-lg border border-line scroll-thin sm:max-h-[60vh]"
        >
          {texts.map((text) => (
            <One
              key={text.number}
              text={text}
              current={text.number === present}
              shown={text === shown}
              onShow={() => setChosen(text.number)}
            />
          ))}
        </ol>
        <section aria-label={t.compare} className="flex min-w-0 flex-col gap-3">
          <div className="flex min-h-7 flex-wrap items-center gap-2">
            <h3 className="flex-1 font-medium text-sm">
              {shown.number === present ? t.isPresent : t.against(shown.number)}
            </h3>
            {mayBuild && shown.number !== present && (
              <Button size="sm" variant="ghost" busy={erase.isPending} onClick={() => setAsksToErase(true)}>
                <Eraser /> {t.erase}
              </Button>
            )}
            {mayBuild && shown.number !== present && (
              <Button
                size="sm"
                busy={restore.isPending}
                onClick={() => (typed.get() === null ? void take().catch(() => {}) : setAsks(true))}
              >
                <RotateCcw /> {t.restore}
              </Button>
            )}
          </div>
          <Difference feature={feature} number={shown.number} />
        </section>
      </div>
      <Confirm open={asks} onOpenChange={setAsks} title={t.ask} confirm={t.restore} onConfirm={take}>
        {t.askText}
      </Confirm>
      <Confirm
        open={asksToErase}
        onOpenChange={setAsksToErase}
        title={t.askErase(shown.number)}
        confirm={t.erase}
        danger
        onConfirm={() => erase.mutateAsync(shown.number)}
      >
        {t.askEraseText}
      </Confirm>
    </Dialog>
  );
}

function One({
  text,
  current,
  shown,
  onShow,
}: {
  text: FeatureText;
  current: boolean;
  shown: boolean;
  onShow: () => void;
}) {
  const members = useMembers().data;
  const name = members?.find((member) => member.id === text.memberId)?.name ?? t.server;
  return (
    <li>
      <button
        type="button"
        aria-current={shown ? "true" : undefined}
        onClick={onShow}
        className={cn(
          "-outline-offset-2 flex w-full flex-col gap-0.5 px-3 py-2 text-left text-sm hover:bg-hover",
          shown && "bg-selected",
        )}
      >
        <span className="flex w-full items-center gap-2">
          <span className="font-medium">{t.version(text.number)}</span>
          {current && <Badge tone="outline">{t.present}</Badge>}
          <span className="flex-1" />
          <Time at={text.at} className="text-faint text-xs" />
        </span>
        <span className="text-muted text-xs">
          {t.by(name, text.deed, text.byToken)}
          {text.restored !== null && ` ${t.version(text.restored)}`}
        </span>
      </button>
    </li>
  );
}

/** A text and what the card says now. */
function Difference({ feature, number }: { feature: Feature; number: number }) {
  const { data, isError, error, refetch } = useQuery({
    queryKey: keys.featureText(feature.id, number),
    queryFn: () => api.featureText(feature.id, number),
  });
  if (isError) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <Skeleton className="h-48 rounded-lg" />;
  const of = (text: { title: string; description?: string }) => `${text.title}\n\n${text.description ?? ""}`;
  const [before, after] = [of(data), of(feature)];
  if (before === after) return <p className="text-muted text-sm">{t.same}</p>;
  return <TextDiff key={number} before={before} after={after} label={t.against(number)} />;
}

function useRestoreText(feature: Feature) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (number: number) => api.restoreFeatureText(feature.id, number, feature.version),
    onSuccess: (written, number) => {
      rememberFeature(written);
      putFeature(client, written);
      toast.done(t.restored(number));
    },
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
}

function useEraseText(feature: Feature) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (number: number) => api.eraseFeatureText(feature.id, number),
    onSuccess: (_, number) => {
      client.setQueryData<FeatureText[]>(keys.featureTexts(feature.id), (list) =>
        list?.filter((text) => text.number !== number),
      );
      client.removeQueries({ queryKey: keys.featureText(feature.id, number) });
      toast.done(t.erased(number));
    },
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
}
