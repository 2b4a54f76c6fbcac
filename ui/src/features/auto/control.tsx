import { useQuery } from "@tanstack/react-query";
import { Moon } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { queries } from "@/api/queries";
import type { AutoMode } from "@/api/types";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { dot, reason } from "./moment";
import { AutoModeRoom } from "./room";
import { auto } from "./strings";

const AutoModeDialog = lazy(() => import("./dialog"));

/** The switch of the member's auto mode on a board's tool bar. */
export default function AutoModeControl({ projectId }: { projectId: string }) {
  const order = useQuery(queries.autoMode(projectId));
  const [open, setOpen] = useState(false);
  if (order.data === undefined) return order.isError ? null : <AutoModeRoom />;
  const { state } = order.data;
  return (
    <>
      <Button
        size="sm"
        aria-haspopup="dialog"
        aria-label={`${auto.title}: ${auto[state].toLowerCase()}`}
        title={stateInWords(order.data)}
        onClick={() => setOpen(true)}
      >
        <Moon aria-hidden />
        <span className="hidden sm:inline">{auto.title}</span>
        <span aria-hidden className={cn("size-2 rounded-full", dot[state])} />
      </Button>
      {open && (
        <Suspense>
          <AutoModeDialog order={order.data} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}

/** Why nothing starts, or how much is going on. */
export function stateInWords(order: AutoMode): string {
  if (order.state === "off") return auto.off;
  return order.waiting ? reason(order.waiting) : auto.running(order.running);
}
