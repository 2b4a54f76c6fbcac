import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ThumbsDown, ThumbsUp } from "lucide-react";
import type { ReactNode } from "react";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Time } from "@/lib/time";
import { useApply } from "./deeds";
import { KindIcon, typeName } from "./kind";
import * as labels from "./labels";
import { RunLink, useName } from "./people";
import { hubQueries } from "./queries";
import { pluralOf } from "./search";
import { words } from "./strings";
import type { Blueprint, Item, Known, Learning } from "./types";

/** What is known about an item beside its text. */
export function Facts({ known, mayWrite }: { known: Known; mayWrite: boolean }) {
  const { item } = known;
  return (
    <section aria-label={words.item.facts} className="flex min-w-0 flex-col gap-4 text-sm">
      <Fact name={item.kind === "blueprint" ? words.form.category : words.form.type}>
        {typeName(item.kind, item.kind === "blueprint" ? item.category : item.type)}
      </Fact>
      {item.kind === "blueprint" && <Loads item={item} />}
      {item.kind === "learning" && <Served item={item} mayWrite={mayWrite} />}
      <List name={words.item.tags} values={item.tags} search />
      {item.kind === "entry" && item.sourceUrl !== null && (
        <Fact name={words.form.sourceUrl}>
          <a
            href={item.sourceUrl}
            target="_blank"
            rel="noopener noreferrer nofollow"
            className="text-accent-text underline-offset-2 [overflow-wrap:anywhere] hover:underline"
          >
            {item.sourceUrl}
          </a>
        </Fact>
      )}
      {item.kind === "entry" && <List name={words.item.keywords} values={item.keywords} />}
      {item.kind === "learning" && (
        <>
          <List name={words.item.languages} values={item.context.languages} />
          <List name={words.item.frameworks} values={item.context.frameworks} />
          <List name={words.item.filePatterns} values={item.context.filePatterns} />
        </>
      )}
      <Related known={known} />
      <UsedIn item={item} />
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <section>
      <h2 className="mb-1 font-medium text-faint text-xs">{name}</h2>
      <div className="min-w-0">{children}</div>
    </section>
  );
}

/** Short words; those that can be searched for lead there. */
function List({ name, values, search }: { name: string; values: readonly string[]; search?: boolean }) {
  if (values.length === 0) return null;
  return (
    <Fact name={name}>
      <ul className="flex flex-wrap gap-1">
        {values.map((value) => (
          <li key={value} className="max-w-full">
            {search ? (
              <Link to="/knowledge" search={{ tag: value }}>
                <Badge tone="grey" className="max-w-full hover:text-ink">
                  <span className="truncate">{value}</span>
                </Badge>
              </Link>
            ) : (
              <Badge tone="outline" className="max-w-full">
                <span className="truncate">{value}</span>
              </Badge>
            )}
          </li>
        ))}
      </ul>
    </Fact>
  );
}

/** Which agents are given a blueprint. */
function Loads({ item }: { item: Blueprint }) {
  const { filePatterns, languages, taskTypes } = item.autoLoadConditions;
  const always = filePatterns.length + languages.length + taskTypes.length === 0;
  return (
    <>
      <Fact name={words.item.priority}>{item.priority}</Fact>
      <p className="text-muted text-xs">
        {item.status !== "active" ? words.item.loadsNot : always ? words.item.loadsAlways : words.item.loads}
      </p>
      <List name={words.item.languages} values={languages} />
      <List name={words.item.filePatterns} values={filePatterns} />
      <List name={words.item.taskTypes} values={taskTypes} />
    </>
  );
}

/** How sure a learning is, and what came of it. */
function Served({ item, mayWrite }: { item: Learning; mayWrite: boolean }) {
  const name = useName();
  return (
    <>
      <Fact name={words.item.confidence}>{labels.confidence[item.confidence]}</Fact>
      <Fact name={words.item.counted}>
        {item.applicationCount === 0
          ? words.item.neverApplied
          : words.helpedLong(item.successCount, item.applicationCount)}
        {mayWrite && item.deletedAt === null && <Tell item={item} />}
      </Fact>
      {item.verifiedBy !== null && (
        <Fact name={words.item.verifiedBy}>
          {name(item.verifiedBy)}
          {item.verifiedAt && (
            <>
              , <Time at={item.verifiedAt} className="text-faint" />
            </>
          )}
        </Fact>
      )}
    </>
  );
}

/** Lets a member say whether it helped them. */
function Tell({ item }: { item: Learning }) {
  const apply = useApply();
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw itself around two buttons
    <div role="group" aria-label={words.item.didItHelp} className="mt-1.5 flex flex-wrap items-center gap-1">
      <span className="text-faint text-xs">{words.item.didItHelp}</span>
      {(["helped", "did-not-help"] as const).map((outcome) => (
        <Button
          key={outcome}
          size="sm"
          variant="ghost"
          disabled={apply.isPending}
          onClick={() => apply.mutate({ item, outcome })}
        >
          {outcome === "helped" ? <ThumbsUp /> : <ThumbsDown />} {words.item.outcome[outcome]}
        </Button>
      ))}
    </div>
  );
}

/** What belongs to it: what it names, and what names it. */
function Related({ known }: { known: Known }) {
  const related = [
    ...known.related,
    ...known.relatedFrom.filter((one) => !known.related.some((other) => other.id === one.id)),
  ];
  if (related.length === 0) return null;
  return (
    <Fact name={words.item.related}>
      <ul className="flex flex-col gap-1">
        {related.map((one) => (
          <li key={one.id} className="flex min-w-0 items-start gap-1.5">
            <KindIcon kind={one.kind} className="mt-0.5 size-3.5" />
            <Link
              to="/knowledge/$kind/$itemId"
              params={{ kind: pluralOf(one.kind), itemId: one.id }}
              className="min-w-0 rounded text-accent-text underline-offset-2 [overflow-wrap:anywhere] hover:underline"
            >
              {one.title}
            </Link>
          </li>
        ))}
      </ul>
    </Fact>
  );
}

/** Runs that said whether it helped. */
function UsedIn({ item }: { item: Item }) {
  const name = useName();
  const used = useQuery(hubQueries.applications(item)).data ?? [];
  if (used.length === 0) return null;
  return (
    <Fact name={words.item.usedIn}>
      <ul className="flex flex-col gap-1.5">
        {used.map((one) => (
          <li key={`${one.runId} ${one.memberId}`} className="text-xs">
            <p>{one.runId === null ? name(one.memberId) : <RunLink runId={one.runId} />}</p>
            <p className="text-faint">
              {words.item.outcome[one.outcome]}, <Time at={one.at} />
            </p>
            {one.note && <p className="text-muted [overflow-wrap:anywhere]">{one.note}</p>}
          </li>
        ))}
      </ul>
    </Fact>
  );
}
