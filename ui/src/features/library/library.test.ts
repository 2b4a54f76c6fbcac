import { describe, expect, it } from "vitest";
import type { Agent, KnownTool } from "@/api/types";
import { draftOf, found, toWish } from "./draft";

const agent: Agent = {
  id: "a",
  name: "Scout",
  description: "Finds things.",
  systemPrompt: "Find it.",
  status: "active",
  model: { provider: null, model: "m", thinking: "high", maxTokens: 4000, temperature: 0.5 },
  tools: [
    { name: "read", enabled: true },
    { name: "bash", enabled: false },
    { name: "knowledge_search", enabled: true },
  ],
  mcpServers: [{ serverId: "docs", enabledTools: ["search"] }],
  icon: "🔭",
  tags: ["search", "read only"],
  version: 3,
  builtIn: null,
  createdBy: "m",
  createdAt: "",
  updatedAt: "",
  sharedAt: null,
};
const known: KnownTool[] = ["read", "bash", "write"].map((name) => ({ name, what: "", changesFiles: false }));

describe("an agent in the editor", () => {
  it("comes back as it was, with every tool that is known or was named", () => {
    const wish = toWish(draftOf(agent), known);
    expect(wish).toMatchObject({
      name: "Scout",
      icon: "🔭",
      tags: ["search", "read only"],
      model: agent.model,
      mcpServers: agent.mcpServers,
    });
    expect(wish.tools).toEqual([
      { name: "read", enabled: true },
      { name: "bash", enabled: false },
      { name: "write", enabled: false },
      { name: "knowledge_search", enabled: true },
    ]);
  });

  it("begins with what changes nothing", () => {
    const wish = toWish({ ...draftOf(null), name: " A ", tags: "a, ,b,a", temperature: "0,2" }, known);
    expect(wish.tools?.filter((tool) => tool.enabled).map((tool) => tool.name)).toEqual([
      "read",
      "glob",
      "grep",
    ]);
    expect(wish).toMatchObject({ name: "A", tags: ["a", "b"], model: { temperature: 0.2, maxTokens: null } });
    expect(toWish({ ...draftOf(null), maxTokens: "many" }, known).model?.maxTokens).toBe(-1);
  });

  it("is found by its words", () => {
    expect(found([agent], "FINDS")).toEqual([agent]);
    expect(found([agent], "only")).toEqual([agent]);
    expect(found([agent], "nothing")).toEqual([]);
    expect(found([agent], "  ")).toEqual([agent]);
  });
});
