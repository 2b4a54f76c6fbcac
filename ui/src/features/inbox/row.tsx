import { Link, useNavigate } from "@tanstack/react-router";
import { CircleCheckBig, GitMerge, RotateCcw } from "lucide-react";
import { useMay, useMe, useMembers } from "@/api/queries";
import type { FeatureCard } from "@/api/types";
import { DiffSize } from "@/components/diff-size";
import { StatusIcon } from "@/components/status";
import { Avatar } from "@/components/ui/avatar";
import { Button } from "@/components/ui/button";
import { planWaits, useFeatureAction } from "@/features/actions";
import { needOf } from "@/features/attention";
import { KeyLink } from "@/features/settings/keys/key-link";
import { exactMoney, money, sentence } from "@/lib/format";
import { Time } from "@/lib/time";

/** The rows of the inbox, in their order on the page. */
export const inboxRows = () => [...document.querySelectorAll<HTMLElement>("[data-inbox-row]")];

/** Where the focus goes on when the row that a button stands in leaves the inbox: to the next one. */
function goOn(button: HTMLElement) {
  const rows = inboxRows();
  const own = button.closest("li")?.querySelector<HTMLElement>("[data-inbox-row]");
  const at = own ? rows.indexOf(own) : -1;
  (rows[at + 1] ?? rows[at - 1] ?? document.getElementById("content"))?.focus();
}

/** A card that needs somebody, with the step that is next. */
export function Row({
  card,
  project,
  everybody,
}: {
  card: FeatureCard;
  project: string;
  /** The cards of everybody are shown. */
  everybody: boolean;
}) {
  return (
    <li className="group relative flex items-start gap-3 px-4 py-3 hover:bg-hover has-[[data-inbox-row]:focus-visible]:bg-hover">
      <StatusIcon status={planWaits(card) ? "waiting_approval" : card.status} className="mt-0.5" />
      <div className="min-w-0 flex-1">
        <h3 dir="auto" className="font-medium text-sm [overflow-wrap:anywhere]">
          <Link
            to="/p/$projectId"
            params={{ projectId: card.projectId }}
            search={{ f: card.id }}
            data-inbox-row=""
            className="outline-none after:absolute after:inset-0 focus-visible:underline"
          >
            {card.title}
          </Link>
        </h3>
        <p className="num mt-0.5 flex flex-wrap items-center gap-x-2 text-faint text-xs">
          <span>
            {project} #{card.number}
          </span>
          <Time at={card.finishedAt ?? card.updatedAt} />
          {card.costMicros > 0 && <span title={exactMoney(card.costMicros)}>{money(card.costMicros)}</span>}
          <DiffSize files={card.filesChanged} added={card.linesAdded} removed={card.linesRemoved} />
          {nothingChanged(card) && <span>Changed nothing</span>}
          <Writer card={card} everybody={everybody} />
        </p>
        {card.error && (
          <p dir="auto" className="mt-1 text-sm">
            <span className={card.status === "failed" ? "text-red" : "text-amber"}>
              {sentence(card.error.message)}
            </span>{" "}
            {card.error.hint && <span className="text-muted">{card.error.hint}</span>}{" "}
            <KeyLink code={card.error.code} />
          </p>
        )}
      </div>
      <NextStep card={card} />
    </li>
  );
}

/** Finished work in which there is nothing to look at. */
const nothingChanged = (card: FeatureCard) =>
  (card.status === "waiting_approval" || card.status === "verified") && card.filesChanged === 0;

/** Whose card it is, where that is not plain. */
function Writer({ card, everybody }: { card: FeatureCard; everybody: boolean }) {
  const me = useMe().data?.id;
  const writer = useMembers().data?.find((member) => member.id === card.createdBy);
  if (writer === undefined || (writer.id === me && !everybody)) return null;
  return (
    <span className="inline-flex items-center gap-1">
      <Avatar name={writer.name} id={writer.id} picture={writer.avatar} size="sm" />
      {writer.id === me ? "You" : writer.name}
    </span>
  );
}

/** The button that matters now. */
function NextStep({ card }: { card: FeatureCard }) {
  const mayBuild = useMay("build");
  const verify = useFeatureAction("verify");
  const retry = useFeatureAction("retry");
  const navigate = useNavigate();
  if (!mayBuild) return null;
  const open = () =>
    void navigate({ to: "/p/$projectId", params: { projectId: card.projectId }, search: { f: card.id } });
  const named = (verb: string) => ({
    size: "sm" as const,
    className: "relative",
    "aria-label": `${verb} #${card.number} ${card.title}`,
  });
  const need = needOf(card);
  switch (need) {
    case "waiting_approval":
      if (card.error === null && !nothingChanged(card))
        return (
          <Button
            {...named("Verify")}
            busy={verify.isPending}
            onClick={(event) => {
              goOn(event.currentTarget);
              verify.mutate({ id: card.id });
            }}
          >
            <CircleCheckBig /> Verify
          </Button>
        );
      return (
        <Button {...named("Look at")} onClick={open}>
          Look
        </Button>
      );
    case "plan_approval":
      return (
        <Button {...named("Look at the plan of")} onClick={open}>
          Look
        </Button>
      );
    case "verified":
      return (
        <Button {...named("Merge")} onClick={open}>
          <GitMerge /> Merge…
        </Button>
      );
    default: {
      const verb = card.status === "failed" ? "Retry" : "Resume";
      return (
        <Button
          {...named(verb)}
          busy={retry.isPending}
          onClick={(event) => {
            goOn(event.currentTarget);
            retry.mutate({ id: card.id });
          }}
        >
          <RotateCcw /> {verb}
        </Button>
      );
    }
  }
}
