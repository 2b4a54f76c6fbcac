import {
  Background,
  Controls,
  type Edge,
  Handle,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  type ReactFlowInstance,
  useReactFlow,
  useStoreApi,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import "@/features/systems/graph.css";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { StatusBadge } from "@/components/status";
import { cn } from "@/lib/cn";
import { goneDependencies, useBoardContext } from "../state";
import { type Chain, HEIGHT, isDone, type Place, placesOf, WIDTH } from "./chains";
import { graph as s } from "./strings";
import { relation } from "./words";

type CardNode = Node<{ place: Place; open: boolean }, "card">;

/** So many cards and more are drawn only where one looks. */
const MANY = 150;
/** Smaller than so, nobody reads a card. */
const READABLE = 0.8;

function CardBox({ data: { place, open } }: NodeProps<CardNode>) {
  const { card } = place;
  const { store, cards, projectId } = useBoardContext();
  const flow = useReactFlow();
  const api = useStoreApi();
  const gone = goneDependencies(card, cards);
  /** What is reached by the Tab key comes into sight. */
  const onFocus = () => {
    store.set((state) => (state.current === card.id ? state : { ...state, current: card.id }));
    const { width, height, transform } = api.getState();
    const [x, y, zoom] = transform;
    const left = place.x * zoom + x;
    const top = place.y * zoom + y;
    const inSight = left >= 0 && top >= 0 && left + WIDTH * zoom <= width && top + HEIGHT * zoom <= height;
    if (!inSight) void flow.setCenter(place.x + WIDTH / 2, place.y + HEIGHT / 2, { zoom });
  };
  return (
    <div style={{ width: WIDTH, height: HEIGHT }}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <Link
        to="/p/$projectId"
        params={{ projectId }}
        search={(search) => ({ ...search, f: card.id })}
        data-graph-card={card.id}
        draggable={false}
        onFocus={onFocus}
        onClick={(event) => event.detail === 0 && store.set((state) => ({ ...state, entered: card.id }))}
        aria-describedby={`graph-${card.id}`}
        className={cn(
          "nopan flex h-full flex-col justify-between rounded-lg border bg-surface px-2.5 py-2 text-sm shadow-card hover:border-line-strong",
          open ? "border-accent outline-2 outline-accent" : "border-line",
          card.status === "failed" && !open && "border-red/45",
        )}
      >
        <span dir="auto" className="line-clamp-2 break-words font-medium leading-4.5" title={card.title}>
          <span className="num font-normal text-faint text-xs">#{card.number}</span> {card.title}
        </span>
        <span className="flex min-w-0 items-center gap-2">
          <StatusBadge status={card.status} stage={card.stage} className="min-w-0 shrink truncate" />
          <span
            id={`graph-${card.id}`}
            className={cn("min-w-0 truncate text-xs", gone > 0 ? "text-amber" : "text-faint")}
          >
            {relation(place, cards)}
          </span>
        </span>
      </Link>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
}

const nodeTypes = { card: CardBox };

/** Shows all of it; where that would be too small to be read, the open card, or else where the first chain begins. */
async function begin(flow: ReactFlowInstance<CardNode>, places: readonly Place[], openId: string | null) {
  await flow.fitView({ maxZoom: 1, padding: 0.06 });
  if (flow.getZoom() >= READABLE) return;
  const open = places.find(({ card }) => card.id === openId);
  if (open !== undefined) await flow.setCenter(open.x + WIDTH / 2, open.y + HEIGHT / 2, { zoom: READABLE });
  else await flow.setViewport({ x: 24, y: 24, zoom: READABLE });
}

/** Draws which card comes after which. */
export default function Graph({ chains, openId }: { chains: readonly Chain[]; openId: string | null }) {
  const places = useMemo(() => placesOf(chains), [chains]);
  const nodes = useMemo(
    () =>
      places.map(
        (place): CardNode => ({
          id: place.card.id,
          type: "card",
          position: { x: place.x, y: place.y },
          data: { place, open: place.card.id === openId },
          width: WIDTH,
          height: HEIGHT,
          focusable: false,
          selectable: false,
          draggable: false,
          deletable: false,
        }),
      ),
    [places, openId],
  );
  const edges = useMemo(
    () =>
      places.flatMap(({ card, before }) =>
        before.map((one): Edge => {
          const waits = !isDone(one);
          return {
            id: `${one.id}>${card.id}`,
            source: one.id,
            target: card.id,
            type: "smoothstep",
            focusable: false,
            selectable: false,
            ...(waits ? { style: { strokeDasharray: "5 4" } } : {}),
            markerEnd: { type: "arrowclosed" as never, width: 18, height: 18, color: "var(--faint)" },
          };
        }),
      ),
    [places],
  );
  return (
    <section aria-label={s.label} className="h-full min-h-80 w-full">
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        onInit={(flow) => void begin(flow, places, openId)}
        minZoom={0.15}
        maxZoom={1.5}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        zoomOnDoubleClick={false}
        deleteKeyCode={null}
        onlyRenderVisibleElements={places.length >= MANY}
      >
        <Background gap={20} />
        <Controls showInteractive={false} />
      </ReactFlow>
    </section>
  );
}
