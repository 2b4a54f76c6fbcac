import { useNavigate } from "@tanstack/react-router";
import { BookmarkPlus } from "lucide-react";
import type { ReactNode } from "react";
import { useMay } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { giveBeginning, titleFrom } from "@/features/knowledge/beginning";
import { s } from "../strings";

/** Words of an agent, with the way to keep them in the knowledge hub. */
export function Keep({ runId, text, children }: { runId: string; text: string; children: ReactNode }) {
  const navigate = useNavigate();
  const mayKeep = useMay("knowledge");
  if (!mayKeep) return children;
  return (
    <div className="group/keep relative">
      {children}
      <Button
        size="icon-sm"
        variant="ghost"
        aria-label={s.live.keep}
        title={s.live.keep}
        onClick={() => {
          giveBeginning(runId, { title: titleFrom(text), content: text });
          void navigate({ to: "/knowledge/new", search: { kind: "learning", run: runId } });
        }}
        className="absolute top-0.5 right-0 bg-canvas opacity-0 focus-visible:opacity-100 group-hover/keep:opacity-100 [@media(hover:none)]:opacity-100"
      >
        <BookmarkPlus />
      </Button>
    </div>
  );
}
