import { OctagonX } from "lucide-react";
import { useState } from "react";
import { Section } from "@/components/page";
import { Button, type ButtonProps } from "@/components/ui/button";
import StopAllConfirm from "./stop-all-confirm";
import { team } from "./strings";

const words = team.stopAll;

/** The switch that stops every agent of the team. */
export function StopAllButton({
  size,
  quiet,
}: Pick<ButtonProps, "size"> & {
  /** Nothing is at work: it stays at hand, and does not cry. */
  quiet?: boolean;
}) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button variant={quiet ? "secondary" : "danger"} size={size} onClick={() => setOpen(true)}>
        <OctagonX /> {words.open}
      </Button>
      <StopAllConfirm open={open} onOpenChange={setOpen} />
    </>
  );
}

/** The same as a part of the team's page. */
export function StopAll() {
  return (
    <Section id="stop-all" title={words.title} lead={words.lead}>
      <StopAllButton />
    </Section>
  );
}
