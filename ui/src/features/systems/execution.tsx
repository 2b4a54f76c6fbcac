import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleStop, SquareArrowOutUpRight } from "lucide-react";
import { lazy, type ReactNode, Suspense, useEffect, useId, useMemo, useRef, useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMay, useMembers, useProjects } from "@/api/queries";
import type { ExecutionTask, ExecutionView, Step, StepState, StepView } from "@/api/types";
import { FormError } from "@/components/form-error";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Field, FieldTextarea } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { announce } from "@/lib/announce";
import { count, exactMoney, money, shortCount } from "@/lib/format";
import { Elapsed, Time as When } from "@/lib/time";
import { useTitle } from "@/lib/title";
import { useUnsaved } from "@/lib/unsaved";
import { isOver, standingOf, systemQueries, systemsApi, taskOf } from "./api";
import { ExecutionBadge, KindIcon, StepBadge } from "./icons";
import { find } from "./model";
import { Outline } from "./outline";
import { RunAgain } from "./run-again";
import { Shown } from "./shown";
import { executionStatus, kinds, stepStatus, w } from "./strings";

const Graph = lazy(() => import("./graph").then(({ Graph }) => ({ default: Graph })));
const x = w.execution;

/** An execution while it runs and after it: its steps as a picture, and what each was given and gave. */
export function ExecutionPage({ execution }: { execution: ExecutionView }) {
  const steps = execution.definition.workflow ?? [];
  const latest = useMemo(
    () => new Map(execution.steps.map((step) => [step.stepId, step])),
    [execution.steps],
  );
  const asked = execution.steps.findLast((step) => step.status === "waiting");
  const [own, setChosen] = useState<string | null>(null);
  // Who has chosen nothing is shown what waits for a person.
  const chosen = own ?? asked?.stepId ?? null;
  useTitle(execution.name);
  useSaid(execution);
  const standing = (id: string) => standingOf(latest.get(id));
  const note = (step: Step) => {
    const state = latest.get(step.id);
    if (state === undefined) return kinds[step.type].label;
    if (step.type === "loop") return x.round(`${state.rounds}/${step.maxIterations ?? 1}`);
    // The count first: beside its badge a step has little room.
    if (state.attempt > 1) return `${x.attempts(state.attempt)}, ${kinds[step.type].label}`;
    return kinds[step.type].label;
  };
  const shown = { chosen, onChoose: (id: string) => setChosen(id), standing };
  const found = chosen === null ? undefined : find(steps, chosen);
  return (
    <main id="content" tabIndex={-1} className="flex h-full flex-col outline-none">
      <Header execution={execution} />
      <div className="flex min-h-0 flex-1 flex-col overflow-y-auto lg:flex-row lg:overflow-hidden">
        <div className="hidden min-w-0 flex-1 lg:block">
          <Suspense fallback={<Skeleton className="m-4 h-64" />}>
            <Graph steps={steps} label={w.graph} {...shown} note={note} />
          </Suspense>
        </div>
        <div className="lg:hidden">
          <Outline steps={steps} label={w.outline} {...shown} />
        </div>
        <aside
          aria-label={found ? found.step.name : x.output}
          className="flex flex-col gap-6 border-line border-t p-4 lg:w-80 xl:w-[26rem] lg:overflow-y-auto lg:border-t-0 lg:border-l scroll-thin"
        >
          {found ? (
            <>
              <Detail execution={execution} step={found.step} />
              <Button size="sm" className="self-start" onClick={() => setChosen("")}>
                {x.output}
              </Button>
            </>
          ) : (
            <Whole execution={execution} />
          )}
        </aside>
      </div>
    </main>
  );
}

/** Says to screen readers how an execution stands, when that changes. */
function useSaid({ name, status }: ExecutionView) {
  const before = useRef(status);
  useEffect(() => {
    if (before.current !== status) announce(`${name}: ${executionStatus[status]}`);
    before.current = status;
  }, [name, status]);
}

function Header({ execution }: { execution: ExecutionView }) {
  const client = useQueryClient();
  const project = useProjects().data?.find((one) => one.id === execution.projectId);
  const member = useMembers().data?.find((one) => one.id === execution.memberId);
  const mayRun = useMay("run");
  const [ending, setEnding] = useState(false);
  return (
    <header className="flex flex-wrap items-center gap-x-4 gap-y-2 border-line border-b px-4 py-3">
      <div className="min-w-0 flex-1 basis-60">
        <Link to="/systems" className="text-faint text-xs hover:text-ink">
          {w.title}
        </Link>
        <h1 className="flex flex-wrap items-center gap-2 font-semibold text-lg">
          <span className="min-w-0 truncate" title={execution.name}>
            {execution.name}
          </span>
          <ExecutionBadge status={execution.status} />
        </h1>
        {execution.about && <p className="truncate text-muted text-sm">{execution.about}</p>}
        <p className="text-faint text-xs">
          {x.startedBy} {member?.name ?? "…"} {x.on}{" "}
          {project && (
            <Link
              to="/p/$projectId"
              params={{ projectId: project.id }}
              className="underline underline-offset-2"
            >
              {project.name}
            </Link>
          )}
        </p>
      </div>
      <dl className="num flex flex-wrap gap-x-5 gap-y-1 text-xs">
        <Fact name={x.took}>
          <Elapsed since={execution.createdAt} {...(execution.endedAt ? { until: execution.endedAt } : {})} />
        </Fact>
        <Fact name={x.tokens} title={count(execution.tokens)}>
          {shortCount(execution.tokens)}
        </Fact>
        <Fact name={x.cost} title={exactMoney(execution.costMicros)}>
          {money(execution.costMicros)}
        </Fact>
      </dl>
      <Button render={<Link to="/systems/$systemId" params={{ systemId: execution.systemId }} />}>
        {x.system}
      </Button>
      {mayRun && isOver(execution) && <RunAgain execution={execution} />}
      {mayRun && !isOver(execution) && (
        <Button onClick={() => setEnding(true)}>
          <CircleStop /> {x.cancel}
        </Button>
      )}
      <Confirm
        open={ending}
        onOpenChange={setEnding}
        title={x.cancelTitle}
        confirm={x.cancel}
        cancel={x.goOn}
        danger
        onConfirm={async () => {
          try {
            await systemsApi.cancel(execution.id);
            await client.invalidateQueries({ queryKey: keys.execution(execution.id) });
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {x.cancelText}
      </Confirm>
    </header>
  );
}

function Fact({ name, title, children }: { name: string; title?: string; children: ReactNode }) {
  return (
    <div className="flex gap-1.5" title={title}>
      <dt className="text-faint">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="flex flex-col gap-1.5">
      <h2 className="font-medium text-faint text-xs">{title}</h2>
      {children}
    </section>
  );
}

function Whole({ execution }: { execution: ExecutionView }) {
  return (
    <>
      {execution.error && (
        <p role="status" className="rounded-lg bg-red-soft px-3 py-2 text-red text-sm">
          {execution.error}
        </p>
      )}
      <Part title={x.output}>
        {execution.output == null ? (
          <p className="text-muted text-sm">{isOver(execution) ? x.neverOutput : x.noOutput}</p>
        ) : (
          <Shown value={execution.output} />
        )}
      </Part>
      <Part title={x.input}>
        {Object.entries((execution.input ?? {}) as Record<string, unknown>).map(([name, value]) => (
          <div key={name}>
            <p className="text-faint text-xs">
              {execution.definition.inputSchema?.properties?.[name]?.title ?? name}
            </p>
            <Shown value={value} />
          </div>
        ))}
      </Part>
      <p className="text-faint text-xs">{x.choose}</p>
    </>
  );
}

/** Every time that a step of the system ran: once, or once in each round of a loop. */
function Detail({ execution, step }: { execution: ExecutionView; step: Step }) {
  const times = execution.steps.filter((one) => one.stepId === step.id).toReversed();
  return (
    <>
      <div>
        <h2 className="flex items-center gap-2 font-semibold">
          <KindIcon kind={step.type} className="text-faint" /> {step.name}
        </h2>
        <p className="text-faint text-xs">{kinds[step.type].label}</p>
      </div>
      {times.length === 0 && <p className="text-muted text-sm">{stepStatus.none}</p>}
      {times.map((time, at) => (
        <Time
          key={time.key}
          execution={execution}
          step={step}
          time={time}
          open={at === 0}
          several={times.length > 1}
        />
      ))}
    </>
  );
}

const roundOf = (key: string) => [...key.matchAll(/@(\d+)/g)].map(([, round]) => round).join(".");

function Time({
  execution,
  step,
  time,
  open,
  several,
}: {
  execution: ExecutionView;
  step: Step;
  time: StepView;
  open: boolean;
  several: boolean;
}) {
  const mayRun = useMay("run");
  const [opened, setOpened] = useState(open);
  const texts = useQuery({ ...systemQueries.step(execution.id, time), enabled: opened || !several });
  const body = (
    <div className="flex flex-col gap-4">
      <div className="num flex flex-wrap items-center gap-x-3 gap-y-1 text-xs">
        <StepBadge standing={standingOf(time)} />
        <Elapsed since={time.startedAt} {...(time.endedAt ? { until: time.endedAt } : {})} />
        {time.tasks.length > 0 && (
          <span className="text-faint" title={exactMoney(time.costMicros)}>
            {money(time.costMicros)} · {shortCount(time.tokens)} {x.tokens.toLowerCase()}
          </span>
        )}
      </div>
      {texts.data?.error && (
        <p className="rounded-lg bg-red-soft px-3 py-2 text-red text-sm">{texts.data.error}</p>
      )}
      {standingOf(time) === "queued" && <Waits task={taskOf(time)} />}
      {time.tasks.map((task) => (
        <Link
          key={task.featureId}
          to="/f/$featureId"
          params={{ featureId: task.featureId }}
          className="flex items-center gap-1.5 self-start text-accent-text text-sm underline underline-offset-2"
        >
          <SquareArrowOutUpRight aria-hidden className="size-3.5" /> {x.task(task.attempt)}
        </Link>
      ))}
      {texts.data !== undefined ? (
        <Texts step={step} texts={texts.data} />
      ) : texts.isError ? (
        <ErrorState error={texts.error} onRetry={() => void texts.refetch()} className="py-6" />
      ) : (
        <Skeleton className="h-24" />
      )}
      {/* What is answered is what is shown: the round is that of the text. */}
      {time.status === "waiting" && texts.data?.status === "waiting" && mayRun && (
        <Review execution={execution} step={step} time={texts.data} />
      )}
    </div>
  );
  if (!several) return body;
  return (
    <details
      open={open}
      onToggle={(event) => setOpened(event.currentTarget.open)}
      className="rounded-lg border border-line px-3 py-2"
    >
      <summary className="mb-2 select-none text-sm">{x.round(roundOf(time.key))}</summary>
      {body}
    </details>
  );
}

/** What a step was given and gave, and what a person said to it. */
function Texts({ step, texts: { status, input, output, feedback } }: { step: Step; texts: StepState }) {
  if (status === "waiting") return input && <Shown value={input} />;
  return (
    <>
      {feedback && (
        <Part title={status === "completed" ? x.approved : x.sent}>
          <Shown value={feedback} />
        </Part>
      )}
      {output != null && step.type !== "human_review" && (
        <Part title={x.stepOutput}>
          <Shown value={output} />
        </Part>
      )}
      {input && (step.type === "agent" || step.type === "human_review") && (
        <details>
          <summary className="select-none font-medium text-faint text-xs">{x.stepInput}</summary>
          <pre className="mt-2 whitespace-pre-wrap rounded-lg bg-sunken p-3 text-xs">{input}</pre>
        </details>
      )}
    </>
  );
}

/** What an agent waits for that does not work at the moment. */
function Waits({ task }: { task: ExecutionTask | undefined }) {
  const { parkedUntil, parkedReason, parkedFor } = task ?? {};
  return (
    <p role="status" className="rounded-lg bg-amber-soft px-3 py-2 text-sm">
      {parkedReason ?? x.noPlace}
      {/* Of its own budget somebody has to allow more: no time brings it on. */}
      {parkedFor === "run" ? (
        ` ${x.allow}`
      ) : parkedUntil ? (
        <>
          {" "}
          {x.parked} <When at={parkedUntil} />.
        </>
      ) : null}
    </p>
  );
}

function Review({ execution, step, time }: { execution: ExecutionView; step: Step; time: StepState }) {
  const id = useId();
  const client = useQueryClient();
  const [words, setWords] = useState("");
  const review = useMutation({
    mutationFn: (approved: boolean) =>
      systemsApi.review(execution.id, time.key, time.rounds, approved, words.trim()),
    onSuccess: () => setWords(""),
    // Also when it was refused: somebody else has answered, and something else is shown now.
    onSettled: () => client.invalidateQueries({ queryKey: keys.execution(execution.id) }),
  });
  useUnsaved(words.trim() !== "");
  const left = Math.max(0, (step.maxIterations ?? 5) - time.rounds);
  const again = (step.children ?? []).length > 0;
  return (
    <section
      aria-labelledby={id}
      className="sticky bottom-0 z-10 flex flex-col gap-3 rounded-xl border border-amber bg-surface p-3 short:static"
    >
      <h3 id={id} className="font-medium text-sm">
        {x.review}
      </h3>
      <Field label={x.word} help={again ? `${x.wordHelp} ${x.again(left)}.` : x.wordHelp}>
        <FieldTextarea rows={3} value={words} onChange={(event) => setWords(event.target.value)} />
      </Field>
      <FormError error={review.error ? asApiError(review.error) : null} />
      <div className="flex flex-wrap gap-2">
        <Button variant="primary" busy={review.isPending} onClick={() => review.mutate(true)}>
          {x.approve}
        </Button>
        <Button disabled={words.trim() === "" || review.isPending} onClick={() => review.mutate(false)}>
          {x.sendBack}
        </Button>
      </div>
    </section>
  );
}
