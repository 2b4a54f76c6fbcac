import { useNavigate } from "@tanstack/react-router";
import { Eraser } from "lucide-react";
import { useState } from "react";
import { useMay } from "@/api/queries";
import { queryClient } from "@/app/query-client";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { useErase } from "./deeds";
import { titleOf } from "./draft";
import { hubKeys } from "./keys";
import { words } from "./strings";
import type { Item } from "./types";

const w = words.erase;

/** Asks whether an item is to be erased for good, and does it. */
export function EraseItem({
  item,
  open,
  onOpenChange,
}: {
  item: Item;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const erase = useErase();
  const navigate = useNavigate();
  return (
    <Confirm
      open={open}
      onOpenChange={onOpenChange}
      title={w.ask(titleOf(item))}
      confirm={w.button}
      danger
      onConfirm={async () => {
        await erase.mutateAsync({ item });
        await navigate({ to: "/knowledge", search: { kind: item.kind } });
        queryClient.removeQueries({ queryKey: hubKeys.item(item.id) });
      }}
    >
      <p>{w.text}</p>
      <p>{w.kept}</p>
    </Confirm>
  );
}

/** Erases a former text for good; for admins. */
export function EraseVersion({ item, version }: { item: Item; version: number }) {
  const mayErase = useMay("administer");
  const erase = useErase();
  const [asking, setAsking] = useState(false);
  if (!mayErase) return null;
  return (
    <>
      <Button
        size="sm"
        variant="ghost"
        aria-label={w.ofVersion(version)}
        busy={erase.isPending}
        onClick={() => setAsking(true)}
      >
        <Eraser /> {w.version}
      </Button>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title={w.askVersion(version)}
        confirm={w.button}
        danger
        onConfirm={() => erase.mutateAsync({ item, version })}
      >
        <p>{w.versionText}</p>
        <p>{w.kept}</p>
      </Confirm>
    </>
  );
}
