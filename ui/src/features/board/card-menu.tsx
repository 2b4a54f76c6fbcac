import { Ellipsis } from "lucide-react";
import { Suspense } from "react";
import type { FeatureCard } from "@/api/types";
import { Menu } from "@/components/ui/menu";
import { lazyOrNothing } from "@/lib/lazy-or-nothing";

// The first view does without; whoever comes near the button has them by the time that they press it.
const load = () => import("./card-menu-items");
const Items = lazyOrNothing(load);
const soon = () => void load().catch(() => {});

/** Everything that can be done with one card. */
export function CardMenu({ card, tabIndex }: { card: FeatureCard; tabIndex: number }) {
  return (
    <Menu
      align="end"
      trigger={
        <button
          type="button"
          tabIndex={tabIndex}
          onPointerEnter={soon}
          onFocus={soon}
          aria-label={`More about #${card.number}`}
          className="relative z-10 -mr-1 rounded p-0.5 text-faint pointer-coarse:-my-2 pointer-coarse:-mr-2 pointer-coarse:p-2.5 pointer-coarse:opacity-100 hover:bg-hover hover:text-ink focus-visible:opacity-100 data-popup-open:opacity-100 md:opacity-0 md:group-hover/card:opacity-100"
        >
          <Ellipsis className="size-4" />
        </button>
      }
    >
      <Suspense fallback={null}>
        <Items card={card} />
      </Suspense>
    </Menu>
  );
}
