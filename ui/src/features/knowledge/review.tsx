import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, ChevronLeft, ChevronRight, ClipboardCheck, Pencil, Scale, Undo2, X } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { isLost } from "@/api/error";
import { useMay } from "@/api/queries";
import { Markdown } from "@/components/markdown";
import { Page } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Tooltip } from "@/components/ui/tooltip";
import { announce } from "@/lib/announce";
import { useHotkeys } from "@/lib/hotkeys";
import { SimilarItems } from "./alike";
import { Correct } from "./correct";
import { useVerify } from "./deeds";
import { Loading, Notice } from "./item";
import { keyOf, useIsKept } from "./kept";
import { typeName } from "./kind";
import { watch } from "./live";
import { Attribution } from "./people";
import { useWriters } from "./presence";
import { hubQueries } from "./queries";
import { RejectForm } from "./reject-form";
import { useMayRollBack } from "./roll-back";
import { pluralOf } from "./search";
import { words } from "./strings";
import { isOfRun, RollBack } from "./take-back";
import type { Learning } from "./types";

const r = words.review;
const RuleDialog = lazy(() => import("./rule-dialog"));

type Mode = "look" | "correct" | "reject";

/** What agents propose, one after the other. */
export function Review({
  first,
  onShow,
}: {
  first: string | undefined;
  onShow: (id: string | undefined) => void;
}) {
  const queue = useInfiniteQuery(hubQueries.queue());
  const ids = queue.data?.pages.flatMap((page) => page.items).map((item) => item.id) ?? [];
  useEffect(watch, []);
  const admin = useMay("administer");
  const [rule, setRule] = useState<"open" | "closed" | null>(null);
  // What one looks at stays until one goes on, even if somebody else decides on it meanwhile: a key that is pressed just
  // then must not meet another learning.
  const [current, setCurrent] = useState(first);
  if (current === undefined && ids[0] !== undefined) setCurrent(ids[0]);
  const at = current === undefined ? -1 : ids.indexOf(current);
  // Where it stood, for going on from there when it is gone.
  const [stood, setStood] = useState(0);
  if (at >= 0 && at !== stood) setStood(at);

  const show = (id: string | undefined) => {
    setCurrent(id);
    onShow(id);
  };
  const step = (by: number) => {
    const from = at >= 0 ? at + by : by > 0 ? stood : stood - 1;
    show(ids[Math.max(0, Math.min(ids.length - 1, from))]);
  };
  /** Goes on to what comes after the one that was decided. */
  const advance = () => {
    const left = ids.filter((id) => id !== current);
    show(left[Math.min(stood, left.length - 1)]);
  };
  return (
    <Page
      title={r.title}
      lead={r.lead}
      actions={
        <>
          {admin && (
            <Button variant="ghost" onClick={() => setRule("open")}>
              <Scale /> {words.rule.open}
            </Button>
          )}
          {ids.length > 0 && (
            <nav aria-label={r.title} className="flex items-center gap-1">
              <Tooltip text={r.previous} keys="k">
                <Button size="icon" aria-label={r.previous} disabled={at === 0} onClick={() => step(-1)}>
                  <ChevronLeft />
                </Button>
              </Tooltip>
              <span className="num min-w-14 text-center text-muted text-sm">
                {r.place(at + 1, ids.length)}
                {queue.hasNextPage && "+"}
              </span>
              <Tooltip text={r.next} keys="j">
                <Button
                  size="icon"
                  aria-label={r.next}
                  disabled={at === ids.length - 1}
                  onClick={() => step(1)}
                >
                  <ChevronRight />
                </Button>
              </Tooltip>
            </nav>
          )}
        </>
      }
    >
      {queue.isError && ids.length === 0 ? (
        <ErrorState error={queue.error} onRetry={() => void queue.refetch()} />
      ) : queue.isPending ? (
        <Loading />
      ) : current === undefined ? (
        <Empty
          icon={<ClipboardCheck />}
          title={r.none}
          action={<Button render={<Link to="/knowledge" />}>{words.item.back}</Button>}
        >
          {r.noneText}
        </Empty>
      ) : (
        <One key={current} id={current} gone={at < 0} step={step} advance={advance} />
      )}
      {/* Once opened, it stays, so that it closes with its motion. */}
      <Suspense>
        {rule !== null && (
          <RuleDialog open={rule === "open"} onOpenChange={(open) => setRule(open ? "open" : "closed")} />
        )}
      </Suspense>
    </Page>
  );
}

interface Props {
  /** Somebody else decided on it. */
  gone: boolean;
  step: (by: number) => void;
  advance: () => void;
}

function One({ id, ...props }: Props & { id: string }) {
  const item = useQuery(hubQueries.item(id, "learning"));
  if (isLost(item)) return <ErrorState error={item.error} onRetry={() => void item.refetch()} />;
  if (item.data === undefined) return <Loading />;
  const learning = item.data.item;
  if (learning.kind !== "learning") return null;
  return <Decide item={learning} {...props} />;
}

function Decide({ item, gone, step, advance }: Props & { item: Learning }) {
  const mayWrite = useMay("knowledge");
  const mayRollBack = useMayRollBack(isOfRun(item) ? item.sourceRunId : null);
  const writers = useWriters(item.id);
  const [mode, setMode] = useState<Mode>("look");
  const [asking, setAsking] = useState(false);
  const begun = useIsKept(keyOf(item.id));
  const verify = useVerify();
  const decided = (said: string) => {
    announce(said);
    advance();
  };
  // Whoever was refused is told why, and stays where they are.
  const after = (deed: Promise<unknown>, said: string) =>
    void deed.then(
      () => decided(said),
      () => {},
    );
  const doVerify = () => {
    if (!verify.isPending) after(verify.mutateAsync(item), r.verified(item.title));
  };
  useHotkeys({ j: () => step(1), k: () => step(-1) }, { enabled: mode === "look" });
  useHotkeys(
    { v: doVerify, e: () => setMode("correct"), x: () => setMode("reject") },
    { enabled: mayWrite && !gone && mode === "look" },
  );

  if (mode === "correct")
    return (
      <Correct item={item} onCancel={() => setMode("look")} onDone={() => decided(r.corrected(item.title))} />
    );
  const parts = [
    [words.item.problem, item.problem],
    [words.item.solution, item.solution],
    [words.item.prevention, item.prevention],
  ] as const;
  return (
    <article className="flex flex-col gap-4">
      {writers.length > 0 && <Notice>{words.item.writes(writers.join(", "))}</Notice>}
      {begun && mayWrite && !gone && (
        <Notice
          action={
            <Button size="sm" onClick={() => setMode("correct")}>
              {r.goOn}
            </Button>
          }
        >
          {r.begun}
        </Notice>
      )}
      <div className="rounded-xl border border-line bg-surface p-5 shadow-card">
        <div className="mb-3 flex flex-wrap items-center gap-2">
          <Badge tone="amber">{typeName("learning", item.type)}</Badge>
          {item.tags.map((tag) => (
            <Badge key={tag}>{tag}</Badge>
          ))}
        </div>
        <h2 className="font-semibold text-lg [overflow-wrap:anywhere]">
          <Link
            to="/knowledge/$kind/$itemId"
            params={{ kind: pluralOf("learning"), itemId: item.id }}
            className="rounded underline-offset-2 hover:underline"
          >
            {item.title}
          </Link>
        </h2>
        <div className="mt-1 mb-4 text-muted text-sm">
          <Attribution item={item} />
        </div>
        {item.description && <p className="mb-3 text-muted">{item.description}</p>}
        <Markdown text={item.content ?? ""} />
        {parts.map(
          ([name, text]) =>
            text && (
              <section key={name} className="mt-4">
                <h3 className="mb-1 font-semibold text-sm">{name}</h3>
                <Markdown text={text} />
              </section>
            ),
        )}
      </div>
      <SimilarItems kind="learning" title={item.title} content={item.content ?? ""} self={item.id} />
      {gone ? (
        <Notice
          action={
            <Button size="sm" onClick={() => step(1)}>
              {r.next}
            </Button>
          }
        >
          {r.gone}
        </Notice>
      ) : !mayWrite ? (
        <p className="text-faint text-sm">{r.viewer}</p>
      ) : mode === "reject" ? (
        <RejectForm
          item={item}
          onCancel={() => setMode("look")}
          onDone={() => decided(r.rejected(item.title))}
        />
      ) : (
        <div className="sticky bottom-0 z-10 flex flex-wrap items-center gap-2 border-line border-t bg-canvas py-3 short:static">
          <Tooltip text={r.verify} keys="v">
            <Button variant="primary" busy={verify.isPending} onClick={doVerify}>
              <Check /> {r.verify}
            </Button>
          </Tooltip>
          <Tooltip text={r.correct} keys="e">
            <Button onClick={() => setMode("correct")}>
              <Pencil /> {r.correct}
            </Button>
          </Tooltip>
          <Tooltip text={r.reject} keys="x">
            <Button onClick={() => setMode("reject")}>
              <X /> {r.reject}
            </Button>
          </Tooltip>
          <span className="hidden text-faint text-xs sm:inline">{r.keys}</span>
          {mayRollBack && (
            <Button variant="ghost" className="ml-auto" onClick={() => setAsking(true)}>
              <Undo2 /> {r.rollBack}
            </Button>
          )}
        </div>
      )}
      <RollBack runId={item.sourceRunId} open={asking} onOpenChange={setAsking} onDone={advance} />
    </article>
  );
}
