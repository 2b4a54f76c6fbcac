import { OctagonX } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { Section } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { team } from "./strings";

const words = team.stopAll;

/** The switch that stops every agent of the team. */
export function StopAll() {
  const [open, setOpen] = useState(false);
  return (
    <Section id="stop-all" title={words.title} lead={words.lead}>
      <Button variant="danger" onClick={() => setOpen(true)}>
        <OctagonX /> {words.open}
      </Button>
      <Confirm
        open={open}
        onOpenChange={setOpen}
        title={words.ask}
        confirm={words.confirm}
        danger
        onConfirm={async () => {
          try {
            const { runs, autoModes } = await api.stopAll();
            toast.done(words.done(runs, autoModes));
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {words.what}
      </Confirm>
    </Section>
  );
}
