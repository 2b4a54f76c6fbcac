import { useModels } from "@/api/queries";
import type { Model } from "@/api/types";
import { type Option, Select } from "@/components/ui/select";
import { shortCount } from "@/lib/format";

const DEFAULT = "";

function price(model: Model): string {
  if (model.simulated) return "Simulated: costs nothing";
  // Prices are micro-dollars for a million tokens.
  const dollars = (micros: number) => `$${micros / 1_000_000}`;
  return `${dollars(model.inputPrice)} in, ${dollars(model.outputPrice)} out per million tokens · ${shortCount(model.contextWindow)} context`;
}

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
  const fallback = models?.items.find((model) => model.id === models.default);
  const options: Option<string>[] = [
    { value: DEFAULT, label: none, ...(fallback ? { help: fallback.name } : {}) },
    ...(models?.items ?? []).map((model) => ({
      value: model.id,
      label: model.name,
      help: model.usable ? price(model) : (model.why ?? "Cannot be used"),
      disabled: !model.usable,
    })),
  ];
  // A model that is no longer offered is shown all the same: it is what the card says.
  if (value !== null && !options.some((option) => option.value === value)) {
    options.push({ value, label: value, help: "Not offered any more" });
  }
  return (
    <Select
      value={value ?? DEFAULT}
      onChange={(next) => onChange(next === DEFAULT ? null : next)}
      options={options}
      {...(label === undefined ? {} : { label })}
      {...(variant === undefined ? {} : { variant })}
      {...(disabled ? { disabled } : {})}
    />
  );
}
