import { useMe, useMembers } from "@/api/queries";
import type { FeatureCard } from "@/api/types";
import { useAgents } from "@/features/library/queries";
import type { BoardSearch } from "@/router";
import { ANY, Choice } from "./choice";
import { type Filter, USUAL } from "./filter";

/** The board narrowed to one member's cards, or to one agent's; where there is a choice. */
export default function WhoseCards({
  cards,
  choices,
  filter,
  onFilter,
}: {
  cards: FeatureCard[];
  choices: { members: boolean; agents: boolean };
  filter: Filter;
  onFilter: (change: Partial<BoardSearch>) => void;
}) {
  const me = useMe().data?.id;
  const members = useMembers().data ?? [];
  const agents = useAgents().data ?? [];
  const whose = new Set(cards.flatMap((card) => [card.createdBy, card.startedBy]));
  const used = new Set(cards.map((card) => card.agentId ?? USUAL));
  return (
    <>
      {(choices.members || filter.member !== null) && (
        <Choice
          label="Member"
          value={filter.member ?? ANY}
          onChange={(member) => onFilter({ member })}
          options={[
            { value: ANY, label: "Everybody's" },
            ...(me === undefined ? [] : [{ value: me, label: "Mine" }]),
            ...members
              .filter((member) => member.id !== me && (whose.has(member.id) || member.id === filter.member))
              .map((member) => ({ value: member.id, label: member.name })),
          ]}
        />
      )}
      {(choices.agents || filter.agent !== null) && (
        <Choice
          label="Agent"
          value={filter.agent ?? ANY}
          onChange={(agent) => onFilter({ agent })}
          options={[
            { value: ANY, label: "Any agent" },
            ...(used.has(USUAL) || filter.agent === USUAL
              ? [{ value: USUAL, label: "The usual agent" }]
              : []),
            ...agents
              .filter((agent) => used.has(agent.id) || agent.id === filter.agent)
              .map((agent) => ({ value: agent.id, label: agent.name })),
          ]}
        />
      )}
    </>
  );
}
