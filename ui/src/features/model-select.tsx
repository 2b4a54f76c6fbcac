import { lazy, Suspense, useState } from "react";
import { useModels } from "@/api/queries";
import { type Option, Select } from "@/components/ui/select";
import { modelOptions } from "./model-groups";

const OtherModel = lazy(() => import("./other-model"));

const DEFAULT = "";
/** Opens a window for a name; a model's own name has no space. */
const OTHER = "other model";

/** One of the models; those that this member cannot use say why. */
export function ModelSelect({
  value,
  onChange,
  none,
  label,
  variant,
  disabled,
}: {
  value: string | null;
  onChange: (value: string | null) => void;
  /** What no choice stands for. */
  none: string;
  label?: string;
  variant?: "field" | "chip";
  disabled?: boolean;
}) {
  const models = useModels().data;
  const [asking, setAsking] = useState(false);
  const fallback = models?.items.find((model) => model.id === models.default);
  const options: Option<string>[] = [
    { value: DEFAULT, label: none, ...(fallback ? { help: fallback.name } : {}) },
    ...modelOptions(models?.items ?? []),
  ];
  // A model that is no longer offered is shown all the same: it is what the card says.
  if (value !== null && !options.some((option) => option.value === value)) {
    options.push({ value, label: value, help: "Not in the list" });
  }
  options.push({ value: OTHER, label: "Another model…" });
  return (
    <>
      <Select
        value={value ?? DEFAULT}
        onChange={(next) => (next === OTHER ? setAsking(true) : onChange(next === DEFAULT ? null : next))}
        options={options}
        {...(label === undefined ? {} : { label })}
        {...(variant === undefined ? {} : { variant })}
        {...(disabled ? { disabled } : {})}
      />
      {asking && (
        <Suspense>
          <OtherModel
            onClose={() => setAsking(false)}
            onChosen={(name) => {
              setAsking(false);
              onChange(name);
            }}
          />
        </Suspense>
      )}
    </>
  );
}
