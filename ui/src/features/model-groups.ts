import type { Model, ProviderKind } from "@/api/types";
import type { Option } from "@/components/ui/select";
import { shortCount } from "@/lib/format";

/** The headings under which a provider's models stand. */
export const groupOf: Record<ProviderKind, string> = {
  anthropic: "Anthropic",
  openai: "OpenAI",
  google: "Google",
  compatible: "OpenAI-compatible server",
  claudeSubscription: "Claude subscription",
};

/** What a model costs and holds, in a line. */
export function modelFacts(model: Model): string {
  if (model.simulated) return "Simulated: costs nothing";
  const window = `${shortCount(model.contextWindow)} context`;
  const team = model.keySource === "team" ? " · the team's key" : "";
  if (!model.priced) return `Price unknown · ${window}${team}`;
  // Prices are micro-dollars for a million tokens.
  const dollars = (micros: number) => `$${micros / 1_000_000}`;
  return `${dollars(model.inputPrice)} in, ${dollars(model.outputPrice)} out per million tokens · ${window}${team}`;
}

/** The models as they are chosen from, those of a provider together; those that cannot be used now say why. */
export function modelOptions(models: Model[]): Option<string>[] {
  return models.map((model) => ({
    value: model.id,
    label: model.name,
    group: model.simulated ? "Simulated" : groupOf[model.provider],
    help: model.usable ? modelFacts(model) : (model.why ?? "Cannot be used"),
    disabled: !model.usable,
  }));
}
