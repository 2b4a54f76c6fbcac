import { describe, expect, it } from "vitest";
import { card } from "@/test/samples";
import { chainsOf, HEIGHT, placesOf, WIDTH } from "./chains";

const of = (id: string, number: number, ...dependencies: string[]) => card({ id, number, dependencies });

describe("chains of cards", () => {
  it("hold what hangs together, each after what it depends on, and tell to what they lead", () => {
    const { chains, alone } = chainsOf([
      of("ship", 5, "build", "test"),
      of("plan", 1),
      of("build", 2, "plan"),
      of("test", 3, "build"),
      of("other", 7),
      of("first", 8),
      of("second", 4, "first"),
    ]);
    expect(chains.map(({ links }) => links.map(({ card, layer }) => `${card.id} ${layer}`).join())).toEqual([
      "plan 0,build 1,test 2,ship 3",
      "first 0,second 1",
    ]);
    expect(chains.map(({ ends }) => ends.map(({ id }) => id).join())).toEqual(["ship", "second"]);
    expect(alone.map(({ id }) => id)).toEqual(["other"]);
    const ship = chains[0]?.links.at(-1);
    expect(ship?.before.map(({ id }) => id)).toEqual(["build", "test"]);
  });

  it("take no notice of what is not shown, and of what was deleted", () => {
    const { chains, alone } = chainsOf([of("a", 1, "gone"), of("b", 2, "gone")]);
    expect(chains).toEqual([]);
    expect(alone.map(({ id }) => id)).toEqual(["a", "b"]);
  });

  it("put cards near what they follow", () => {
    // Without that, the arrows of these would cross.
    const { chains } = chainsOf([
      of("a", 1),
      of("b", 2),
      of("after b", 3, "b"),
      of("after a", 4, "a"),
      of("end", 5, "after a", "after b"),
    ]);
    const rows = Object.fromEntries(chains[0]?.links.map(({ card, row }) => [card.id, row]) ?? []);
    expect(rows.a === rows["after a"] && rows.b === rows["after b"]).toBe(true);
  });

  it("come to an end where a circle would be", () => {
    const { chains } = chainsOf([of("a", 1, "b"), of("b", 2, "a")]);
    expect(chains[0]?.links).toHaveLength(2);
  });

  it("are drawn without one card over another, left to right, chain below chain", () => {
    const cards = [
      of("a", 1),
      of("b", 2, "a"),
      of("c", 3, "a"),
      of("d", 4, "a"),
      of("e", 5, "b", "d"),
      of("x", 6),
      of("y", 7, "x"),
    ];
    const places = placesOf(chainsOf(cards).chains);
    const at = (id: string) => places.find((one) => one.card.id === id) as (typeof places)[number];
    for (const one of places)
      for (const other of places)
        if (one !== other)
          expect(
            Math.abs(one.x - other.x) >= WIDTH || Math.abs(one.y - other.y) >= HEIGHT,
            `${one.card.id} ${other.card.id}`,
          ).toBe(true);
    for (const one of places) for (const { id } of one.before) expect(at(id).x).toBeLessThan(one.x);
    expect(at("x").y).toBeGreaterThan(Math.max(at("b").y, at("c").y, at("d").y));
    expect(at("a").y).toBe(at("c").y);
  });
});
