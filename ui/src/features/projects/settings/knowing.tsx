import { Field } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Switch } from "@/components/ui/switch";
import { knowing as s } from "./strings";

/** Tokens to choose from; what somebody set by the API stays to be chosen. */
const SIZES = [0, 2_000, 4_000, 8_000, 16_000, 32_000];

/** How much of the team's knowledge agents are told, and whether they are asked for more. */
export function Knowing({
  tokens,
  onTokens,
  asks,
  onAsks,
  disabled,
  error,
}: {
  tokens: number;
  onTokens: (tokens: number) => void;
  asks: boolean;
  onAsks: (asks: boolean) => void;
  disabled: boolean;
  error: string | undefined;
}) {
  const sizes = SIZES.includes(tokens) ? SIZES : [...SIZES, tokens].sort((a, b) => a - b);
  return (
    <>
      <Field label={s.tokens} help={s.tokensHelp} error={error}>
        <Select
          value={String(tokens)}
          onChange={(value) => onTokens(Number(value))}
          disabled={disabled}
          options={sizes.map((size) => ({ value: String(size), label: s.size(size) }))}
        />
      </Field>
      <Switch checked={asks} onChange={onAsks} disabled={disabled} label={s.asks} help={s.asksHelp} />
    </>
  );
}
