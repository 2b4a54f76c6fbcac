import { describe, expect, it } from "vitest";
import type { Model } from "@/api/types";
import { modelFacts, modelOptions } from "./model-groups";

const model = (part: Partial<Model> & { id: string }): Model => ({
  name: part.id,
  provider: "openai",
  contextWindow: 272_000,
  maxOutput: 128_000,
  inputPrice: 2_000_000,
  priced: true,
  outputPrice: 10_000_000,
  cacheReadPrice: 0,
  cacheWritePrice: 0,
  simulated: false,
  usable: true,
  keySource: "member",
  why: null,
  ...part,
});

describe("models", () => {
  it("say what they cost and whose key they use", () => {
    expect(modelFacts(model({ id: "a" }))).toMatch(/^\$2 in, \$10 out per million tokens · 272/);
    expect(modelFacts(model({ id: "a", keySource: "team" }))).toContain("the team's key");
    expect(modelFacts(model({ id: "a", priced: false }))).toContain("Price unknown");
    expect(modelFacts(model({ id: "a", simulated: true }))).toBe("Simulated: costs nothing");
  });

  it("stand below their provider, and those that cannot be used say why", () => {
    const why = "Put your key for Google in place under Settings to use it.";
    const options = modelOptions([
      model({ id: "gpt" }),
      model({ id: "gemini", provider: "google", usable: false, keySource: null, why }),
      model({ id: "compatible/qwen3", provider: "compatible", name: "qwen3" }),
      model({ id: "simulated", provider: "anthropic", simulated: true }),
    ]);
    expect(options.map((option) => option.group)).toEqual([
      "OpenAI",
      "Google",
      "OpenAI-compatible server",
      "Simulated",
    ]);
    expect(options[1]).toMatchObject({ disabled: true, help: why });
    expect(options[2]).toMatchObject({ value: "compatible/qwen3", label: "qwen3", disabled: false });
  });
});
