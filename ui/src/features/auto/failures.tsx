import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { queries } from "@/api/queries";
import type { AutoMode } from "@/api/types";
import { auto } from "./strings";

/** The cards whose runs failed since something last went well, each a way to it; with the reasons, where they do not stand beside it. */
export function Failures({
  order,
  reasons = false,
  onFollow,
}: {
  order: AutoMode;
  reasons?: boolean;
  onFollow?: () => void;
}) {
  const titles = useQuery({
    ...queries.board(order.projectId),
    enabled: order.failures.length > 0,
    select: (cards) => new Map(cards.map((card) => [card.id, `#${card.number} ${card.title}`])),
  }).data;
  if (order.failures.length === 0) return null;
  return (
    <div className="mt-1">
      <p className="font-medium">{auto.failures}</p>
      <ul className="flex flex-col gap-0.5">
        {order.failures.map((failure) => (
          <li key={failure.runId}>
            <Link
              to="/p/$projectId"
              params={{ projectId: order.projectId }}
              search={(search) => ({ ...search, f: failure.featureId })}
              className="break-words font-medium underline underline-offset-2"
              {...(onFollow && { onClick: onFollow })}
            >
              {titles?.get(failure.featureId) ?? auto.cardGone}
            </Link>
            {reasons && <span className="text-muted"> {failure.problem.message}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}
