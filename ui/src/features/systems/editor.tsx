import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Copy, EllipsisVertical, List, Redo2, Trash2, Undo2, Wand, Workflow } from "lucide-react";
import { type KeyboardEvent, lazy, Suspense, useCallback, useEffect, useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMay, useMe } from "@/api/queries";
import type {
  Position,
  Step,
  StepKind,
  System,
  SystemDefinition,
  SystemProblem,
  SystemStatus,
} from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { AgentSign } from "@/features/library/agent-sign";
import { announce } from "@/lib/announce";
import { cn } from "@/lib/cn";
import { useTitle } from "@/lib/title";
import { useUnsaved } from "@/lib/unsaved";
import { AddStep } from "./add-step";
import { systemQueries, systemsApi } from "./api";
import { canFollow, follow, part, stepBefore } from "./edges";
import { Follows } from "./follows";
import { useHistory } from "./history";
import {
  find,
  insert,
  move,
  newStep,
  type Place,
  place,
  placeNone,
  remove,
  renameStep,
  update,
  walk,
} from "./model";
import { Outline } from "./outline";
import { Placed } from "./placed";
import { RunButton } from "./run-button";
import { RunDialog } from "./run-dialog";
import { StepForm } from "./step-form";
import { kinds, systemStatus, w } from "./strings";
import { SystemForm } from "./system-form";
import { Desk } from "./typed";
import { useDesk } from "./use-desk";

const Graph = lazy(() => import("./graph").then(({ Graph }) => ({ default: Graph })));

/** How long nothing is typed before the server is asked what is wrong. */
const REST_MS = 350;

function useRested<T>(value: T): T {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), REST_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return rested;
}

const definitionOf = (system: System): SystemDefinition => {
  const {
    id: _,
    status: __,
    builtIn: ___,
    version: ____,
    createdBy: _____,
    updatedBy: ______,
    createdAt: _______,
    updatedAt: ________,
    ...definition
  } = system;
  return definition;
};

/** Writes a system: as a picture or as a list, with a form beside it for the step that is chosen. */
export function Editor({ system }: { system: System }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const me = useMe().data;
  const mayBuild = useMay("build");
  const mayRun = useMay("run");
  const runs = useMay("administer");
  const mine = !system.builtIn && mayBuild && (system.createdBy === me?.id || runs);
  const [saved, setSaved] = useState(system);
  // As it was sent: the server leaves out what says nothing, which is no change.
  const [kept, setKept] = useState(() => definitionOf(system));
  const history = useHistory<SystemDefinition>(definitionOf(system));
  const definition = history.now;
  const steps = definition.workflow ?? [];
  const [choice, setChoice] = useState({ id: null as string | null, form: 0 });
  const chosen = choice.id;
  // Another form for another step; that of a step that is renamed stays, and with it the focus.
  const setChosen = (id: string | null) => setChoice(({ form }) => ({ id, form: form + 1 }));
  const [view, setView] = useState<"graph" | "list">("graph");
  const [running, setRunning] = useState(false);
  const [removing, setRemoving] = useState(false);
  const { desk, count: unfinished, countAt, clear, ...typed } = useDesk(definition);
  const dirty = unfinished > 0 || JSON.stringify(definition) !== JSON.stringify(kept);
  const problems = useQuery(systemQueries.problems(useRested(definition))).data ?? NONE;
  const found = chosen === null ? undefined : find(steps, chosen);
  useTitle(definition.name);

  const letGo = useUnsaved(dirty);

  // Somebody else changed it: whoever has changed nothing sees that at once, others choose.
  const newer = system.version > saved.version;
  const { reset } = history;
  const takeTheirs = useCallback(() => {
    setSaved(system);
    setKept(definitionOf(system));
    reset(definitionOf(system));
    clear();
  }, [system, reset, clear]);
  useEffect(() => {
    if (newer && !dirty) takeTheirs();
  }, [newer, dirty, takeTheirs]);

  const save = useMutation({
    mutationFn: ({ status, definition }: { status: SystemStatus; definition: SystemDefinition }) =>
      systemsApi.change(saved.id, saved.version, status, definition),
    onSuccess: (next, sent) => {
      setSaved(next);
      setKept(sent.definition);
      client.setQueryData(keys.system(next.id), next);
      void client.invalidateQueries({ queryKey: keys.systems, exact: true });
      toast.done(w.saved);
    },
    onError: (cause) => {
      toast.error(undefined, asApiError(cause));
      // If somebody else changed it, that is shown.
      void client.invalidateQueries({ queryKey: keys.system(saved.id) });
    },
  });
  const duplicate = useMutation({
    mutationFn: () => systemsApi.duplicate(saved.id),
    onSuccess: (copy) => {
      void client.invalidateQueries({ queryKey: keys.systems, exact: true });
      toast.done(w.duplicated);
      void navigate({ to: "/systems/$systemId", params: { systemId: copy.id } });
    },
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });

  const archived = mine ? w.runNot.archived : w.runNot.archivedByOther;
  const wrong = problems.length + unfinished;
  const runNot = saved.status === "archived" ? archived : wrong > 0 ? w.runNot.problems : null;
  // What was typed last was not looked at yet; and what is run is what stands in the store.
  const saveAndRun = useMutation({
    mutationFn: (definition: SystemDefinition) => client.fetchQuery(systemQueries.problems(definition)),
    onSuccess: (found, definition) =>
      found.length > 0
        ? announce(w.runNot.problems)
        : save.mutate({ status: saved.status, definition }, { onSuccess: () => setRunning(true) }),
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  const run = () => (dirty ? saveAndRun.mutate(definition) : setRunning(true));

  const setSteps = (next: Step[], what = "") => history.change({ ...definition, workflow: next }, what);
  const add = (kind: StepKind, place: Place) => {
    const step = newStep(kind, definition);
    setSteps(insert(steps, place, step));
    typed.begin(step.id);
    setChosen(step.id);
    announce(`${kinds[kind].label}: ${step.name}`);
  };
  const drop = (id: string) => {
    setSteps(remove(steps, id));
    setChosen(null);
  };
  const rename = (from: string, to: string) => {
    if (to === "" || [...walk(steps)].some(({ step }) => step.id === to)) return false;
    history.change(renameStep(definition, from, to), "");
    typed.rename(from, to);
    setChoice(({ form }) => ({ id: to, form }));
    return true;
  };
  // What is unfinished goes first where it is in sight and was typed last; elsewhere it stays.
  const typedLast = typed.isLast(found?.step.id);
  const undo = () => (typedLast ? typed.takeBack(found?.step.id) : history.undo());
  const onKeyDown = (event: KeyboardEvent) => {
    const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea") !== null;
    if (typing || !mine || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    if (event.shiftKey) history.redo();
    else undo();
  };
  const arrows = {
    place: (id: string, at: Position | null) =>
      setSteps(place(steps, id, at), at === null ? "" : `place ${id}`),
    can: (from: string, to: string) => canFollow(steps, from, to),
    follow: (from: string, to: string) => {
      history.change(follow(definition, from, to), "");
      announce(w.follows(nameOf(from), nameOf(to)));
    },
    part: (id: string) => {
      const first = stepBefore(steps, id)?.id;
      if (first === undefined) return;
      history.change(part(definition, id), "");
      announce(w.parted(nameOf(first), nameOf(id)));
    },
  };
  const nameOf = (id: string) => find(steps, id)?.step.name ?? id;
  const wrongAt = (id: string) => problems.filter((problem) => problem.stepId === id).length + countAt(id);
  const shown = { chosen, onChoose: (id: string) => setChosen(id === chosen ? null : id), problems: wrongAt };

  return (
    <main id="content" tabIndex={-1} onKeyDown={onKeyDown} className="flex h-full flex-col outline-none">
      <header className="flex flex-wrap items-center gap-2 border-line border-b px-4 py-3">
        <div className="min-w-0 flex-1 basis-56">
          <Link to="/systems" className="text-faint text-xs hover:text-ink">
            {w.title}
          </Link>
          <h1 className="flex flex-wrap items-center gap-2 font-semibold text-lg">
            {definition.icon && <AgentSign icon={definition.icon} />}
            <span className="min-w-0 truncate" title={definition.name}>
              {definition.name}
            </span>
            <Badge tone={saved.status === "active" ? "green" : "grey"}>{systemStatus[saved.status]}</Badge>
            {dirty && <Badge tone="amber">{w.unsaved}</Badge>}
            {mine && (
              <Badge tone={wrong > 0 ? "red" : "outline"}>
                {wrong > 0 ? w.problems(wrong) : w.noProblems}
              </Badge>
            )}
          </h1>
        </div>
        {mine && (
          <>
            <Button
              variant="ghost"
              size="icon"
              aria-label={w.undo}
              disabled={!history.canUndo && !typedLast}
              onClick={undo}
            >
              <Undo2 />
            </Button>
            <Button
              variant="ghost"
              size="icon"
              aria-label={w.redo}
              disabled={!history.canRedo}
              onClick={history.redo}
            >
              <Redo2 />
            </Button>
            <Button
              busy={save.isPending}
              disabled={!dirty}
              onClick={() => save.mutate({ status: saved.status, definition })}
            >
              {w.save}
            </Button>
            {saved.status === "active" ? (
              <Button onClick={() => save.mutate({ status: "archived", definition })}>{w.archive}</Button>
            ) : (
              <Button disabled={wrong > 0} onClick={() => save.mutate({ status: "active", definition })}>
                {w.activate}
              </Button>
            )}
          </>
        )}
        {mayBuild && (
          <Button busy={duplicate.isPending} onClick={() => duplicate.mutate()}>
            <Copy /> {w.duplicate}
          </Button>
        )}
        {mayRun && (
          <RunButton dirty={dirty} busy={save.isPending || saveAndRun.isPending} not={runNot} onRun={run} />
        )}
        {mine && (
          <Menu
            align="end"
            trigger={
              <Button variant="ghost" size="icon" aria-label={w.more(definition.name)}>
                <EllipsisVertical />
              </Button>
            }
          >
            <MenuItem icon={<Trash2 />} danger onClick={() => setRemoving(true)}>
              {w.remove}
            </MenuItem>
          </Menu>
        )}
      </header>
      {!mine && mayBuild && (
        <p className="border-line border-b bg-accent-soft px-4 py-2 text-accent-text text-sm">
          {system.builtIn ? w.fixed : w.notYours}
        </p>
      )}
      {newer && dirty && !save.isPending && (
        <div
          role="alert"
          className="flex flex-wrap items-center gap-2 border-line border-b bg-amber-soft px-4 py-2 text-sm"
        >
          <p className="min-w-48 flex-1">{w.changedByOther}</p>
          <Button size="sm" onClick={takeTheirs}>
            {w.takeTheirs}
          </Button>
          {/* What is saved next replaces theirs, knowingly. */}
          <Button size="sm" onClick={() => setSaved(system)}>
            {w.keepMine}
          </Button>
        </div>
      )}
      <div className="flex min-h-0 flex-1 flex-col overflow-y-auto lg:flex-row lg:overflow-hidden">
        <div className="flex min-w-0 flex-1 flex-col lg:min-h-0">
          <div className="flex flex-wrap items-center gap-2 border-line border-b px-3 py-2">
            {mine && <AddStep steps={steps} found={found} onAdd={add} />}
            {mine && [...walk(steps)].some(({ step }) => step.position != null) && (
              <Button size="sm" variant="ghost" onClick={() => setSteps(placeNone(steps))}>
                <Wand /> {w.allByThemselves}
              </Button>
            )}
            <fieldset className="ml-auto hidden gap-1 lg:flex">
              <legend className="sr-only">{w.views}</legend>
              {(["graph", "list"] as const).map((one) => (
                <Button
                  key={one}
                  size="sm"
                  variant={view === one ? "secondary" : "ghost"}
                  aria-pressed={view === one}
                  onClick={() => setView(one)}
                >
                  {one === "graph" ? <Workflow /> : <List />} {one === "graph" ? w.graph : w.outline}
                </Button>
              ))}
            </fieldset>
          </div>
          <div className={cn("hidden min-h-0 flex-1", view === "graph" && "lg:block")}>
            <Suspense fallback={<Skeleton className="m-4 h-64" />}>
              <Graph steps={steps} label={w.graph} {...shown} {...(mine ? { arrows } : {})} />
            </Suspense>
          </div>
          <div className={cn("lg:min-h-0 lg:flex-1 lg:overflow-y-auto", view === "graph" && "lg:hidden")}>
            <Outline
              steps={steps}
              label={w.outline}
              {...shown}
              {...(mine
                ? { onMove: (id: string, by: 1 | -1) => setSteps(move(steps, id, by)), onRemove: drop }
                : {})}
            />
          </div>
        </div>
        <aside
          aria-label={found ? w.form.step : w.settings}
          className="border-line border-t p-4 lg:w-80 xl:w-96 lg:overflow-y-auto lg:border-t-0 lg:border-l scroll-thin"
        >
          <Desk value={desk}>
            {found ? (
              <>
                <StepForm
                  key={choice.form}
                  step={found.step}
                  definition={definition}
                  problems={problems.filter((problem) => problem.stepId === found.step.id)}
                  disabled={!mine}
                  onChange={(step) =>
                    setSteps(
                      update(steps, found.step.id, () => step),
                      found.step.id,
                    )
                  }
                  onRename={(id) => rename(found.step.id, id)}
                />
                {mine && (
                  <>
                    <Follows key={`follows-${choice.form}`} steps={steps} found={found} arrows={arrows} />
                    <Placed
                      steps={steps}
                      step={found.step}
                      onPlace={(at) => arrows.place(found.step.id, at)}
                    />
                  </>
                )}
                <div className="mt-5 flex flex-wrap gap-2 border-line border-t pt-4">
                  <Button size="sm" onClick={() => setChosen(null)}>
                    {w.settings}
                  </Button>
                  {mine && (
                    <Button size="sm" onClick={() => drop(found.step.id)}>
                      <Trash2 /> {w.removeStep}
                    </Button>
                  )}
                </div>
              </>
            ) : (
              <SystemForm
                definition={definition}
                problems={problems.filter(
                  (problem) => problem.stepId === null || problem.stepId === undefined,
                )}
                disabled={!mine}
                onChange={(next) => history.change(next, "system")}
              />
            )}
          </Desk>
        </aside>
      </div>
      {running && (
        <RunDialog
          id={saved.id}
          name={saved.name}
          schema={saved.inputSchema ?? {}}
          draft={saved.status === "draft"}
          onClose={() => setRunning(false)}
        />
      )}
      <Confirm
        open={removing}
        onOpenChange={setRemoving}
        title={w.removeTitle(saved.name)}
        confirm={w.remove}
        danger
        onConfirm={async () => {
          try {
            await systemsApi.remove(saved.id);
            void client.invalidateQueries({ queryKey: keys.systems, exact: true });
            letGo();
            void navigate({ to: "/systems" });
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {w.removeText}
      </Confirm>
    </main>
  );
}

const NONE: SystemProblem[] = [];
