import { describe, expect, it } from "vitest";
import { madeCards, partsOf, plannedCards } from "./parts";

const plan = { cards: [{ title: "First", description: "Do\nit {well}.", priority: 1 }] };

describe("what a step shows", () => {
  it("is words, and the data that stands among them", () => {
    const data = JSON.stringify(plan, null, 2);
    expect(partsOf(`When you approve:\n\n${data}\n\nThat is all.`)).toEqual([
      { words: "When you approve:" },
      { data: plan },
      { words: "That is all." },
    ]);
    expect(partsOf(data)).toEqual([{ data: plan }]);
    expect(partsOf(JSON.stringify([1, 2], null, 2))).toEqual([{ data: [1, 2] }]);
  });

  it("stays words where nothing else is meant", () => {
    for (const words of [
      "Use `{` and `}`.",
      "{\n  this is code;\n}",
      "",
      '{\n  "cut": 1\n[40 characters were cut here]',
    ])
      expect(partsOf(words)).toEqual(words === "" ? [] : [{ words }]);
  });

  it("is told as cards where it is cards, and nothing is left out", () => {
    expect(plannedCards(plan)).toEqual([
      { title: "First", description: "Do\nit {well}.", priority: 1, category: "", after: [] },
    ]);
    const second = { title: "Second", description: "Then this.", after: [1] };
    expect(plannedCards([...plan.cards, second])?.[1]?.after).toEqual([1]);
    expect(plannedCards(plan.cards)).toHaveLength(1);
    for (const other of [{ ...plan, more: 1 }, { cards: [] }, { cards: [{ title: "x" }] }, [1], null, "x"])
      expect(plannedCards(other)).toBeNull();
    const made = [{ id: "i", number: 3, title: "First" }];
    expect(madeCards(made)).toEqual(made);
    expect(madeCards(plan)).toBeNull();
  });
});
