import { describe, expect, it } from "vitest";
import { approvable, choices, draftOf, emptyValue, moved, shapeText, toChange, toDraft } from "./draft";
import type { McpServer, McpShape, McpTool } from "./queries";

const shape: McpShape = {
  name: "add",
  description: "Adds.",
  inputSchema: { type: "object", properties: { b: {}, a: {} } },
  outputSchema: null,
  readOnly: false,
};
const tool = (name: string, more: Partial<McpTool> = {}): McpTool => ({
  name,
  standing: "approved",
  enabled: true,
  offered: shape,
  hash: `hash of ${name}`,
  approved: shape,
  approvedHash: `hash of ${name}`,
  approvedBy: null,
  approvedAt: null,
  seenAt: "",
  ...more,
});
const server: McpServer = {
  id: "s",
  projectId: "p",
  name: "docs",
  transport: { kind: "http", url: "https://example.com/mcp" },
  values: [
    { name: "Authorization", secret: true, value: null },
    { name: "X-Team", secret: false, value: "guild" },
  ],
  enabled: true,
  trusted: false,
  timeoutSeconds: 30,
  createdBy: "m",
  createdAt: "",
  updatedAt: "",
  test: null,
  tools: [tool("add")],
};

describe("a server in its form", () => {
  it("comes back as it was, and a secret that nobody typed stays where it is", () => {
    expect(toChange(draftOf(server))).toEqual({
      name: "docs",
      transport: { kind: "http", url: "https://example.com/mcp" },
      values: [
        { name: "Authorization", secret: true },
        { name: "X-Team", secret: false, value: "guild" },
      ],
      timeoutSeconds: 30,
      enabled: true,
      trusted: false,
    });
  });

  it("sends a new secret, leaves out empty lines, and says what is no number", () => {
    const draft = draftOf(undefined);
    const value = { ...emptyValue(), name: " KEY ", value: " with spaces " };
    const sent = toDraft({ ...draft, command: " node x ", values: [value, emptyValue()], seconds: "soon" });
    expect(sent).toEqual({
      name: "",
      transport: { kind: "stdio", command: "node x" },
      values: [{ name: "KEY", secret: true, value: " with spaces " }],
      timeoutSeconds: -1,
    });
  });
});

describe("trust", () => {
  it("stays behind when a server moves, and is given anew by hand", () => {
    const beginning = draftOf({ ...server, trusted: true });
    const there = moved(beginning, beginning, { url: "https://elsewhere.example/mcp" });
    expect(toChange(there)).toMatchObject({
      trusted: false,
      transport: { url: "https://elsewhere.example/mcp" },
    });
    expect(moved(beginning, there, { url: "https://example.com/mcp " }).trusted).toBe(true);
    expect(moved(beginning, beginning, { kind: "stdio" }).trusted).toBe(false);
    // What is not used where it is moves nothing, and a word that was given stays until it moves again.
    expect(moved(beginning, beginning, { command: "node x" }).trusted).toBe(true);
    const again = { ...there, trusted: true };
    expect(moved(beginning, again, { command: "node x" }).trusted).toBe(true);
    expect(moved(beginning, again, { url: "https://third.example/mcp" }).trusted).toBe(false);
    expect(moved(draftOf(server), draftOf(server), { url: "https://b.example" }).trusted).toBe(false);
  });
});

describe("tools", () => {
  it("are compared by text that hangs on what is said and not on its order", () => {
    const turned = { ...shape, inputSchema: { properties: { a: {}, b: {} }, type: "object" } };
    expect(shapeText(turned)).toBe(shapeText(shape));
    expect(shapeText({ ...shape, readOnly: true })).not.toBe(shapeText(shape));
    expect(shapeText({ ...shape, outputSchema: {} })).toContain("Answer:");
  });

  it("wait when they are new or changed and not switched off", () => {
    const tools = [
      tool("approved"),
      tool("new", { standing: "new" }),
      tool("changed", { standing: "changed" }),
      tool("off", { standing: "new", enabled: false }),
      tool("gone", { standing: "gone", hash: null }),
    ];
    expect(approvable(tools).map(({ name }) => name)).toEqual(["new", "changed"]);
  });

  it("are offered to agents by the server's name, in whichever project", () => {
    const other = { ...server, id: "t", projectId: "q", tools: [tool("sub")] };
    const files = { ...server, id: "u", name: "files", tools: [] };
    const team = { ...server, id: "v", projectId: null, name: "files", tools: [tool("list")] };
    expect(choices([server, other, files, team], { lost: ["x"] })).toEqual([
      { ref: "docs", name: "docs", tools: ["add", "sub"], mine: undefined, team: false, there: true },
      { ref: "files", name: "files", tools: ["list"], mine: undefined, team: true, there: true },
      { ref: "lost", name: "lost", tools: ["x"], mine: ["x"], team: false, there: false },
    ]);
  });

  it("stand under the server's name where an agent has it by its id, which stays what it says", () => {
    const other = { ...server, id: "t", projectId: null, tools: [tool("sub")] };
    const byId = { ref: "t", name: "docs", tools: ["sub"], mine: null, team: true, there: true };
    expect(choices([server, other], { t: null })).toEqual([byId]);
    // Those of its name in other projects are not it.
    const own = { ...byId, ref: "s", tools: ["add", "old"], mine: ["old"], team: false };
    expect(choices([server, other], { s: ["old"] })).toEqual([own]);
    // It may have both, and the name alone once the id is switched off.
    const named = { ref: "docs", name: "docs", tools: ["add", "sub"], team: true, there: true };
    expect(choices([server, other], { t: null, docs: [] })).toEqual([{ ...named, mine: [] }, byId]);
    expect(choices([server, other], {})).toEqual([{ ...named, mine: undefined }]);
  });
});
