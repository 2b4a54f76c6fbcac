import { Plus } from "lucide-react";
import type { Step, StepKind } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem, MenuLabel } from "@/components/ui/menu";
import { KindIcon } from "./icons";
import { branchesOf, type Found, type Place, within } from "./model";
import { kinds, w } from "./strings";

const KINDS = Object.keys(kinds) as StepKind[];

function Kinds({ label, onAdd }: { label: string; onAdd: (kind: StepKind) => void }) {
  return (
    <>
      <MenuLabel>{label}</MenuLabel>
      {KINDS.map((kind) => (
        <MenuItem key={kind} icon={<KindIcon kind={kind} />} onClick={() => onAdd(kind)}>
          {kinds[kind].label}
        </MenuItem>
      ))}
    </>
  );
}

/** Adds a step: after the chosen one, into it, or at the end. */
export function AddStep({
  steps,
  found,
  onAdd,
}: {
  steps: readonly Step[];
  found: Found | undefined;
  onAdd: (kind: StepKind, place: Place) => void;
}) {
  const places: { label: string; short: string; place: Place }[] = [];
  if (found === undefined)
    places.push({
      label: w.addStep,
      short: w.addStep,
      place: { parent: null, branch: "children", at: steps.length },
    });
  else {
    const { step, parent, branch, at } = found;
    places.push({ label: w.addAfter, short: w.addAfter, place: { parent, branch, at: at + 1 } });
    for (const own of branchesOf(step.type)) {
      const label = own === "trueBranch" ? w.addTrue : own === "falseBranch" ? w.addFalse : w.addInto;
      places.push({
        label,
        short: label,
        place: { parent: step.id, branch: own, at: within(step, own).length },
      });
    }
  }
  return (
    <div className="flex flex-wrap gap-2">
      {places.map(({ label, short, place }) => (
        <Menu
          key={label}
          trigger={
            <Button size="sm">
              <Plus /> {short}
            </Button>
          }
        >
          <Kinds label={label} onAdd={(kind) => onAdd(kind, place)} />
        </Menu>
      ))}
    </div>
  );
}
