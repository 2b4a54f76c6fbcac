import { useMutation, useQueryClient } from "@tanstack/react-query";
import { SquareKanban } from "lucide-react";
import { useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { Feature } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { agentCalls } from "@/features/library/queries";
import { putFeature } from "@/live/apply";
import { rememberThing } from "@/live/recent";
import { s } from "../strings";

/** Puts what an agent did by itself on the board, where it can be checked and merged. */
export function ToCard({ feature }: { feature: Feature }) {
  const client = useQueryClient();
  const [asked, setAsked] = useState(false);
  const make = useMutation({
    mutationFn: agentCalls.toCard,
    onError: (cause) => toast.error(feature.title, asApiError(cause)),
  });
  return (
    <>
      <Button size="sm" variant="primary" onClick={() => setAsked(true)}>
        <SquareKanban /> {s.header.toCard}
      </Button>
      <Confirm
        open={asked}
        onOpenChange={setAsked}
        title={s.header.toCardAsk}
        confirm={s.header.toCard}
        onConfirm={async () => {
          const made = await make.mutateAsync(feature.id);
          rememberThing("feature", made.id, made);
          putFeature(client, made);
          if (made.agentId !== null) void client.invalidateQueries({ queryKey: keys.tasks(made.agentId) });
          toast.done(s.header.toCardDone(made.number));
        }}
      >
        {s.header.toCardText}
      </Confirm>
    </>
  );
}
