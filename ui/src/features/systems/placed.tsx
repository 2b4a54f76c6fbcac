import type { Position, Step } from "@/api/types";
import { Button } from "@/components/ui/button";
import { layOut } from "./layout";
import { w } from "./strings";
import { NumberField } from "./typed";

/** Where a step stands in the picture: what is drawn with a pointer, without one. */
export function Placed({
  steps,
  step,
  onPlace,
}: {
  steps: readonly Step[];
  step: Step;
  onPlace: (at: Position | null) => void;
}) {
  const { position } = step;
  if (position == null) {
    const at = layOut(steps).boxes.find((box) => box.step.id === step.id)?.at;
    return at === undefined ? null : (
      <Button size="sm" className="mt-4" onClick={() => onPlace(at)}>
        {w.placeByHand}
      </Button>
    );
  }
  return (
    <div className="mt-4 grid grid-cols-2 gap-2">
      <NumberField label={w.fromLeft} value={position.x} onChange={(x = 0) => onPlace({ ...position, x })} />
      <NumberField label={w.fromTop} value={position.y} onChange={(y = 0) => onPlace({ ...position, y })} />
      <Button size="sm" className="justify-self-start" onClick={() => onPlace(null)}>
        {w.placeByItself}
      </Button>
    </div>
  );
}
