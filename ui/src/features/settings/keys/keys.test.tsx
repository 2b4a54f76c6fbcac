import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import { KeyCard } from "./key-card";
import { newKey } from "./key-form";
import { providers } from "./strings";

function show(card: Parameters<typeof KeyCard>[0]) {
  const client = new QueryClient();
  render(
    <QueryClientProvider client={client}>
      <KeyCard {...card} />
    </QueryClientProvider>,
  );
}

const calls = () => ({
  put: vi.fn(async () => undefined),
  remove: vi.fn(async () => undefined),
  test: vi.fn(async () => ({ ok: false, message: "The provider does not know this key." })),
});

const shown = {
  hint: "0123",
  baseUrl: "http://10.0.0.5:8000/v1",
  updatedAt: "2026-03-10T12:00:00Z",
  lastUsedAt: null,
  models: [{ id: "qwen3", contextWindow: null }],
};

describe("a key", () => {
  it("is sent without what was left empty", () => {
    expect(newKey(" sk-1 ", null)).toEqual({ key: "sk-1" });
    expect(newKey("", " http://x/v1 ")).toEqual({ key: "", baseUrl: "http://x/v1" });
    expect(newKey("sk-1", "  ")).toEqual({ key: "sk-1" });
  });

  it("is put in place with a base URL alone where a server asks for none", async () => {
    const made = calls();
    show({
      provider: "compatible",
      credential: null,
      none: "No key.",
      removed: "",
      testable: false,
      calls: made,
    });
    fireEvent.click(screen.getByRole("button", { name: `Add a key for ${providers.compatible.name}` }));
    expect(screen.getByRole("button", { name: "Save key" })).toHaveProperty("disabled", true);
    fireEvent.change(screen.getByLabelText("Base URL"), { target: { value: "http://10.0.0.5:8000/v1" } });
    fireEvent.click(screen.getByRole("button", { name: "Save key" }));
    await waitFor(() =>
      expect(made.put).toHaveBeenCalledWith({ key: "", baseUrl: "http://10.0.0.5:8000/v1" }),
    );
  });

  it("is shown masked, with its server's models and what a test said", async () => {
    const made = calls();
    show({ provider: "compatible", credential: shown, none: "", removed: "", testable: true, calls: made });
    expect(screen.getByText("•••• 0123")).toBeTruthy();
    expect(screen.getByText("1 model")).toBeTruthy();
    expect(screen.getByText("qwen3")).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: /^Test/ }));
    expect(await screen.findByText("The provider does not know this key.")).toBeTruthy();
  });

  it("of a subscription says that it is only kept, and cannot be tested", () => {
    const credential = { ...shown, baseUrl: null, models: [] };
    show({
      provider: "claudeSubscription",
      credential,
      none: "",
      removed: "",
      testable: false,
      calls: calls(),
    });
    expect(screen.getByText(/never uses it, so it cannot be tested/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: /^Test/ })).toBeNull();
  });
});
