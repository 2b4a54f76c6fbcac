import type { Step } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { stepBefore } from "./edges";
import type { Arrows } from "./graph";
import { type Found, walk } from "./model";
import { w } from "./strings";

/** After which step one comes: the arrows of the picture, without a pointer. */
export function Follows({ steps, found, arrows }: { steps: readonly Step[]; found: Found; arrows: Arrows }) {
  const { id } = found.step;
  const first = stepBefore(steps, id);
  const others = [...walk(steps)].map(({ step }) => step).filter((step) => arrows.can(step.id, id));
  if (first === undefined && others.length === 0) return null;
  const options = first === undefined ? others : [first, ...others];
  return (
    <div className="mt-5 flex flex-col gap-2 border-line border-t pt-4">
      <Field label={w.after} help={w.afterHelp}>
        <Select
          value={first?.id ?? ""}
          placeholder={w.afterNone}
          onChange={(from) => from !== first?.id && arrows.follow(from, id)}
          options={options.map((step) => ({ value: step.id, label: step.name }))}
        />
      </Field>
      {first !== undefined && (
        <Button size="sm" className="self-start" onClick={() => arrows.part(id)}>
          {w.part(first.name)}
        </Button>
      )}
    </div>
  );
}
