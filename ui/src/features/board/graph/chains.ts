import type { FeatureCard } from "@/api/types";

/** A card among those that it depends on or that depend on it. */
export interface Link {
  card: FeatureCard;
  /** How many cards come one after the other before it, at most. */
  layer: number;
  /** Its place among those of the same layer. */
  row: number;
  /** What it depends on directly, as far as that is shown. */
  before: FeatureCard[];
}

/** Cards that hang together, each after what it depends on. */
export interface Chain {
  links: Link[];
  /** What nothing else of them depends on: to this it leads. */
  ends: FeatureCard[];
}

/** So often the rows are put in order, once to the right and once to the left each time. */
const SWEEPS = 3;

/** The chains among these cards, that of the lowest number first, and the cards that hang together with no other. */
export function chainsOf(cards: readonly FeatureCard[]): { chains: Chain[]; alone: FeatureCard[] } {
  const byId = new Map(cards.map((card) => [card.id, card]));
  const before = new Map(
    cards.map((card) => [
      card.id,
      card.dependencies.map((id) => byId.get(id)).filter((one) => one !== undefined),
    ]),
  );
  const after = new Map<string, FeatureCard[]>(cards.map((card) => [card.id, []]));
  for (const card of cards) for (const one of before.get(card.id) ?? []) after.get(one.id)?.push(card);

  const layers = layersOf(cards, before);
  const seen = new Set<string>();
  const chains: Chain[] = [];
  const alone: FeatureCard[] = [];
  for (const first of [...cards].sort((a, b) => a.number - b.number)) {
    if (seen.has(first.id)) continue;
    seen.add(first.id);
    const together = [first];
    for (const card of together)
      for (const one of [...(before.get(card.id) ?? []), ...(after.get(card.id) ?? [])]) {
        if (seen.has(one.id)) continue;
        seen.add(one.id);
        together.push(one);
      }
    if (together.length === 1) {
      alone.push(first);
      continue;
    }
    const links = inRows(together, layers, before, after);
    const ends = links.filter(({ card }) => after.get(card.id)?.length === 0).map(({ card }) => card);
    chains.push({ links, ends });
  }
  return { chains, alone };
}

/** Each card one layer beyond the last of those that it depends on. What stood in a circle would end there. */
function layersOf(cards: readonly FeatureCard[], before: ReadonlyMap<string, readonly FeatureCard[]>) {
  const layers = new Map<string, number>();
  const waiting = new Map(cards.map((card) => [card.id, before.get(card.id)?.length ?? 0]));
  const after = new Map<string, string[]>();
  for (const card of cards)
    for (const one of before.get(card.id) ?? []) after.set(one.id, [...(after.get(one.id) ?? []), card.id]);
  const ready = cards.filter((card) => waiting.get(card.id) === 0).map((card) => card.id);
  for (const id of ready) layers.set(id, 0);
  for (const id of ready)
    for (const next of after.get(id) ?? []) {
      layers.set(next, Math.max(layers.get(next) ?? 0, (layers.get(id) ?? 0) + 1));
      const left = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, left);
      if (left === 0) ready.push(next);
    }
  return layers;
}

/** Puts the cards of each layer in an order in which few arrows cross: each near the middle of those it hangs together with. */
function inRows(
  together: readonly FeatureCard[],
  layers: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, readonly FeatureCard[]>,
  after: ReadonlyMap<string, readonly FeatureCard[]>,
): Link[] {
  const columns: FeatureCard[][] = [];
  for (const card of [...together].sort((a, b) => a.number - b.number)) {
    const layer = layers.get(card.id) ?? 0;
    columns[layer] = [...(columns[layer] ?? []), card];
  }
  const rows = new Map<string, number>();
  const number = (column: readonly FeatureCard[]) => {
    // Seen from the middle of the column, as they are drawn.
    for (const [row, card] of column.entries()) rows.set(card.id, row - (column.length - 1) / 2);
  };
  for (const column of columns) number(column ?? []);
  const middle = (cards: readonly FeatureCard[], own: number) =>
    cards.length === 0 ? own : cards.reduce((sum, { id }) => sum + (rows.get(id) ?? 0), 0) / cards.length;
  const sort = (column: FeatureCard[] | undefined, beside: ReadonlyMap<string, readonly FeatureCard[]>) => {
    if (column === undefined) return;
    const places = new Map(
      column.map(({ id }) => [id, middle(beside.get(id) ?? [], rows.get(id) ?? 0)] as const),
    );
    column.sort((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0) || a.number - b.number);
    number(column);
  };
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const column of columns) sort(column, before);
    for (const column of columns.toReversed()) sort(column, after);
  }
  return columns.flatMap((column, layer) =>
    (column ?? []).map((card, row) => ({
      card,
      layer,
      row,
      before: [...(before.get(card.id) ?? [])].sort((a, b) => a.number - b.number),
    })),
  );
}

export const WIDTH = 224;
export const HEIGHT = 78;
const ACROSS = 72;
const BETWEEN = 18;
const APART = 56;

/** A link where it is drawn. */
export interface Place extends Link {
  x: number;
  y: number;
}

/** Draws the chains one below the other, each from the left to the right, with the cards of a layer about its middle. */
export function placesOf(chains: readonly Chain[]): Place[] {
  let top = 0;
  return chains.flatMap(({ links }) => {
    const sizes: number[] = [];
    for (const { layer } of links) sizes[layer] = (sizes[layer] ?? 0) + 1;
    const tall = (size: number) => size * HEIGHT + (size - 1) * BETWEEN;
    const height = tall(Math.max(...sizes.map((size) => size ?? 0)));
    const places = links.map((link) => ({
      ...link,
      x: link.layer * (WIDTH + ACROSS),
      y: top + (height - tall(sizes[link.layer] ?? 1)) / 2 + link.row * (HEIGHT + BETWEEN),
    }));
    top += height + APART;
    return places;
  });
}

/** Whether work that depends on it may begin. */
export const isDone = ({ status }: Pick<FeatureCard, "status">) =>
  status === "verified" || status === "completed";
