import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ComponentProps, ReactNode } from "react";
import { expect, it, vi } from "vitest";
import type { FeatureCard } from "@/api/types";
import { card } from "@/test/samples";
import { BoardContext, createBoardStore } from "../state";
import Dependencies from "./dependencies";

vi.mock("@tanstack/react-router", async (original) => ({
  ...(await original<typeof import("@tanstack/react-router")>()),
  Link: ({ children }: { children: ReactNode }) => <a href="/">{children}</a>,
}));

const cards = [
  card({ id: "a", number: 1, title: "Lay the ground", status: "completed" }),
  card({ id: "b", number: 2, title: "Build on it", dependencies: ["a"] }),
  card({ id: "c", number: 3, title: "Paint it", dependencies: ["b", "gone"] }),
  card({ id: "d", number: 4, title: "Something else" }),
];

const show = (all: FeatureCard[], props: Partial<ComponentProps<typeof Dependencies>> = {}) => {
  const context = {
    store: createBoardStore(),
    cards: new Map(all.map((one) => [one.id, one])),
    projectId: "p1",
    within: new Set<string>(),
    mayBuild: true,
    open: () => {},
    select: () => {},
  };
  render(
    <BoardContext value={context}>
      <Dependencies cards={all} view="list" openId={null} onView={() => {}} {...props} />
    </BoardContext>,
  );
};
const items = () => screen.getAllByRole("listitem").map((item) => item.textContent);

it("groups cards by what they depend on, and shows completed ones where they are wanted", async () => {
  const user = userEvent.setup();
  show(cards);
  expect(screen.getByRole("region", { name: "Leads to #3 Paint it" })).toBeTruthy();
  expect(items()).toEqual([
    "#2 Build on itBacklog",
    "#3 Paint itdepends on a deleted card, waits for #2Backlog",
    "#4 Something elseBacklog",
  ]);
  await user.click(screen.getByRole("checkbox", { name: "Completed too" }));
  expect(items().slice(0, 2)).toEqual(["#1 Lay the groundCompleted", "#2 Build on itafter #1Backlog"]);
  expect(screen.getByText("3 cards in 1 chain")).toBeTruthy();
});

it("judges by the whole board what a filter lets through", () => {
  show(cards, { cards: [cards[2] as FeatureCard] });
  expect(items()).toEqual(["#3 Paint itdepends on a deleted card, waits for #2Backlog"]);
});

it("says so where a filter hides what depends on something", () => {
  show(cards, { cards: [cards[3] as FeatureCard], view: "graph" });
  expect(screen.getByText("No card that is shown depends on another that is")).toBeTruthy();
});

it("says what it is for while nothing depends on anything, and leads back", async () => {
  const user = userEvent.setup();
  const onView = vi.fn();
  show([cards[0] as FeatureCard, card({ id: "x", number: 9, dependencies: ["a"] })], {
    view: "graph",
    onView,
  });
  expect(screen.getByText("Of the cards that are not completed, none depends on another.")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "To the board" }));
  expect(onView).toHaveBeenCalledWith(undefined);
});
