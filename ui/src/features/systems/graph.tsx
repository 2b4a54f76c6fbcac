import {
  Background,
  Controls,
  type Edge,
  Handle,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import "./graph.css";
import { CircleAlert } from "lucide-react";
import { createContext, useContext, useMemo, useState } from "react";
import type { Position as Point, Step } from "@/api/types";
import { cn } from "@/lib/cn";
import { KindIcon, ringOf, StepBadge } from "./icons";
import { type Box, layOut, type Picture } from "./layout";
import { walk } from "./model";
import { kinds, type Standing, w } from "./strings";

/** What whoever may change a system does with its picture. */
export interface Arrows {
  /** A step is put elsewhere, seen from where the steps beside it begin. */
  place: (id: string, at: Point) => void;
  /** Whether the second may come after the first. */
  can: (from: string, to: string) => boolean;
  /** The second comes after the first. */
  follow: (from: string, to: string) => void;
  /** A step waits no longer for the one before it. */
  part: (id: string) => void;
}

interface Shown {
  chosen: string | null;
  onChoose: (id: string) => void;
  /** How a step of an execution stands; absent while a system is only written. */
  standing?: ((id: string) => Standing) | undefined;
  /** How many problems a step has. */
  problems?: ((id: string) => number) | undefined;
  /** More about a step, in a few words. */
  note?: ((step: Step) => string) | undefined;
  /** Absent where nothing can be changed. */
  arrows?: Arrows | undefined;
}

const Context = createContext<Shown>({ chosen: null, onChoose: () => {} });

type StepNode = Node<{ box: Box }, "step">;

function StepBox({ data: { box } }: NodeProps<StepNode>) {
  const { chosen, onChoose, standing, problems, note, arrows } = useContext(Context);
  const { step, holds } = box;
  const state = standing?.(step.id);
  const wrong = problems?.(step.id) ?? 0;
  const words = note?.(step) ?? kinds[step.type].label;
  return (
    <div style={{ width: box.width, height: box.height }}>
      <Handle type="target" position={Position.Top} isConnectable={arrows !== undefined} />
      <div
        className={cn(
          "h-full rounded-xl border-2 border-line-strong",
          holds ? "bg-sunken/60" : "bg-surface shadow-card",
          state && ringOf(state),
          wrong > 0 && "border-red",
          chosen === step.id && "outline-2 outline-ring outline-offset-2",
        )}
      >
        <button
          type="button"
          aria-pressed={chosen === step.id}
          data-step={step.id}
          onClick={() => onChoose(step.id)}
          className="nopan flex w-full items-start gap-2 rounded-xl px-3 py-2 text-left hover:bg-hover"
        >
          <KindIcon kind={step.type} className="mt-0.5 text-faint" />
          <span className="min-w-0 flex-1">
            <span className="block truncate font-medium text-sm" title={step.name}>
              {step.name}
            </span>
            <span className="flex items-center gap-1.5">
              {/* Within the box: on its edge it would lie over the arrows. */}
              {state && state !== "none" && <StepBadge standing={state} />}
              <span className="min-w-0 truncate text-faint text-xs" title={words}>
                {words}
              </span>
            </span>
          </span>
          {wrong > 0 && (
            <span className="flex items-center gap-0.5 text-red text-xs">
              <CircleAlert aria-hidden className="size-3.5" />
              {wrong}
              <span className="sr-only"> {w.problems(wrong)}</span>
            </span>
          )}
        </button>
      </div>
      {box.labels.map((label) => (
        <span
          key={label.branch}
          className="absolute text-center text-muted text-xs"
          style={{ left: label.x - box.x, top: label.y - box.y, width: label.width }}
        >
          {label.branch === "trueBranch" ? w.holds : w.otherwise}
        </span>
      ))}
      <Handle type="source" position={Position.Bottom} isConnectable={arrows !== undefined} />
    </div>
  );
}

/** Which boxes go with one that is being drawn elsewhere, and how far. */
function movedBy(picture: Picture, moving: { id: string; to: Point } | null) {
  const box = picture.boxes.find((one) => one.step.id === moving?.id);
  if (box === undefined || moving === null) return { has: () => false, x: 0, y: 0 };
  const ids = new Set([...walk([box.step])].map(({ step }) => step.id));
  return { has: (id: string) => ids.has(id), x: moving.to.x - box.x, y: moving.to.y - box.y };
}

const nodeTypes = { step: StepBox };
const DELETE = ["Delete", "Backspace"];

/**
 * Draws the steps of a system, laid out by itself but for those that somebody put elsewhere. A step is chosen by mouse, touch or keyboard.
 * Where it can be changed, steps are drawn to other places with all that is in them, and arrows from a step's lower edge to another's
 * upper one; these are taken by their ends to other steps, and deleted by the key for that.
 */
export function Graph({ steps, label, ...shown }: { steps: readonly Step[]; label: string } & Shown) {
  const { arrows } = shown;
  const mayChange = arrows !== undefined;
  const [taken, setTaken] = useState<string | null>(null);
  const [moving, setMoving] = useState<{ id: string; to: Point } | null>(null);
  const picture = useMemo(() => layOut(steps), [steps]);
  const { nodes, edges } = useMemo(() => {
    const by = movedBy(picture, moving);
    const name = (id: string) => picture.boxes.find((box) => box.step.id === id)?.step.name ?? id;
    const nodes: StepNode[] = picture.boxes.map((box) => ({
      id: box.step.id,
      type: "step",
      position: by.has(box.step.id) ? { x: box.x + by.x, y: box.y + by.y } : { x: box.x, y: box.y },
      data: { box },
      width: box.width,
      height: box.height,
      zIndex: box.depth * 2,
      focusable: false,
      deletable: false,
      selectable: false,
    }));
    const edges: Edge[] = picture.arrows.map(({ from, to }) => ({
      id: `${from}>${to}`,
      source: from,
      target: to,
      type: "smoothstep",
      focusable: mayChange,
      selectable: mayChange,
      selected: taken === `${from}>${to}`,
      deletable: mayChange,
      reconnectable: mayChange,
      ariaLabel: w.arrow(name(from), name(to)),
      interactionWidth: 24,
      zIndex: 20,
      // Boxes stand so near that with the usual offset a straight arrow would run past its own middle and back.
      pathOptions: { offset: 12 },
      markerEnd: { type: "arrowclosed" as never, width: 20, height: 20, color: "var(--faint)" },
    }));
    return { nodes, edges };
  }, [picture, mayChange, taken, moving]);
  // What was added or taken away is fitted in anew.
  const size = `${nodes.length} ${nodes.map((node) => node.id).join(" ")}`;
  return (
    <Context.Provider value={shown}>
      <section aria-label={label} className="h-full min-h-80 w-full">
        <ReactFlow
          key={size}
          nodes={nodes}
          edges={edges}
          nodeTypes={nodeTypes}
          fitView
          fitViewOptions={{ maxZoom: 1, padding: 0.08 }}
          minZoom={0.2}
          maxZoom={1.5}
          nodesDraggable={mayChange}
          nodeDragThreshold={6}
          nodesConnectable={mayChange}
          nodesFocusable={false}
          edgesFocusable={mayChange}
          edgesReconnectable={mayChange}
          elementsSelectable={mayChange}
          connectionRadius={32}
          onNodeClick={(_, node) => shown.onChoose(node.id)}
          zoomOnDoubleClick={false}
          isValidConnection={({ source, target }) => arrows?.can(source, target) ?? false}
          onConnect={({ source, target }) => arrows?.follow(source, target)}
          onNodesChange={(changes) => {
            for (const change of changes)
              if (change.type === "position" && change.dragging && change.position)
                setMoving({ id: change.id, to: change.position });
          }}
          onNodeDragStop={(_, { id, position }) => {
            const box = picture.boxes.find((one) => one.step.id === id);
            setMoving(null);
            if (box)
              arrows?.place(id, {
                x: box.at.x + position.x - box.x,
                y: box.at.y + position.y - box.y,
              });
          }}
          onEdgesChange={(changes) => {
            for (const change of changes)
              if (change.type === "select") setTaken(change.selected ? change.id : null);
          }}
          onReconnect={(_, { source, target }) => arrows?.follow(source, target)}
          onEdgesDelete={([gone]) => gone && arrows?.part(gone.target)}
          deleteKeyCode={mayChange ? DELETE : null}
        >
          <Background gap={20} />
          <Controls showInteractive={false} />
        </ReactFlow>
      </section>
    </Context.Provider>
  );
}
