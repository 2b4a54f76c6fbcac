import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { type ReactNode, useState } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { keys } from "@/api/keys";
import type { Step, System, SystemDefinition } from "@/api/types";
import { systemsApi } from "./api";
import { Editor } from "./editor";
import { freshSystem } from "./model";
import { StepForm } from "./step-form";
import { SystemForm } from "./system-form";
import { Desk } from "./typed";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children }: { children: ReactNode }) => <a href="/">{children}</a>,
  useNavigate: () => () => {},
  useParams: () => ({}),
}));
vi.mock("./graph", () => ({ Graph: () => null }));

const step: Step = {
  id: "work",
  type: "agent",
  name: "Work",
  agentId: "worker",
  inputTemplate: "{{task}}",
  outputFormat: "json",
  outputSchema: { type: "object" },
  retry: { maxAttempts: 3, delayMs: 20_000, backoffMultiplier: 2 },
};

let user: ReturnType<typeof userEvent.setup>;
beforeEach(() => {
  user = userEvent.setup();
});

function provide(node: ReactNode) {
  const client = new QueryClient({
    defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, retry: false } },
  });
  client.setQueryData(keys.me, { id: "m1", rights: ["read", "build", "run"] });
  client.setQueryData(["agents", "of-systems"], []);
  client.setQueryData(keys.models, { default: null, items: [] });
  return <QueryClientProvider client={client}>{node}</QueryClientProvider>;
}

function setStep(first: Step) {
  let now = first;
  let put: (step: Step) => void = () => {};
  function Form() {
    const [step, setStep] = useState(first);
    now = step;
    put = setStep;
    return (
      <StepForm
        step={step}
        definition={freshSystem("x")}
        problems={[]}
        disabled={false}
        onChange={setStep}
        onRename={() => true}
      />
    );
  }
  const { rerender } = render(provide(<Form />));
  return { now: () => now, put: (step: Step) => put(step), again: () => rerender(provide(<Form />)) };
}

/** Types all at once: key by key takes long. */
const type = (control: HTMLElement, value: string) => fireEvent.change(control, { target: { value } });
const field = (name: string) => screen.getByLabelText<HTMLInputElement>(new RegExp(`^${name}`));

test("how a step is tried again is kept as it is typed, and not lost on the way to a ten", async () => {
  const form = setStep(step);
  await user.clear(field("The wait grows by"));
  await user.type(field("The wait grows by"), "1.5");
  expect(field("The wait grows by").value).toBe("1.5");
  await user.clear(field("Tries"));
  expect(form.now().retry?.delayMs).toBe(20_000);
  await user.type(field("Tries"), "10");
  expect(form.now().retry).toEqual({ maxAttempts: 10, delayMs: 20_000, backoffMultiplier: 1.5 });
  await user.clear(field("Tries"));
  await user.tab();
  expect(field("Tries").value).toBe("10");
  // Where nothing is said any more, the step says nothing.
  const once: Step = { ...step, retry: { maxAttempts: 2, delayMs: 0, backoffMultiplier: 1 } };
  form.put(once);
  await vi.waitFor(() => expect(field("Tries").value).toBe("2"));
  await user.type(field("Tries"), "{Backspace}1");
  expect(form.now()).not.toHaveProperty("retry");
});

test("a field shows what the step is, whoever changed it", async () => {
  const form = setStep({
    ...step,
    type: "transform",
    transform: { op: "fields", fields: { title: "steps.a.output" } },
  });
  expect(field("Fields").value).toBe("title = steps.a.output");
  await user.type(field("Fields"), "{Enter}");
  expect(field("Fields").value).toBe("title = steps.a.output\n");
  form.put({ ...form.now(), transform: { op: "fields", fields: { other: "task" } } });
  await vi.waitFor(() => expect(field("Fields").value).toBe("other = task"));
});

test("an id that is refused is not left standing", async () => {
  function Form() {
    return (
      <StepForm
        step={step}
        definition={freshSystem("x")}
        problems={[]}
        disabled={false}
        onChange={() => {}}
        onRename={() => false}
      />
    );
  }
  render(provide(<Form />));
  await user.clear(field("Id"));
  await user.type(field("Id"), "taken");
  await user.tab();
  expect(field("Id").value).toBe("work");
});

const system = (part: Partial<System> = {}): System =>
  ({
    ...freshSystem("Mine"),
    workflow: [step, { ...step, id: "more", name: "More", outputSchema: null }],
    id: "s1",
    status: "draft",
    builtIn: false,
    version: 1,
    createdBy: "m1",
    updatedBy: "m1",
    createdAt: "2026-03-10T12:00:00Z",
    updatedAt: "2026-03-10T12:00:00Z",
    ...part,
  }) as System;

test("a form of an answer that is no JSON yet is not lost, and counts as not saved", async () => {
  vi.spyOn(systemsApi, "change").mockImplementation(() => new Promise(() => {}));
  const { rerender } = render(provide(<Editor system={system()} />));
  const list = within(screen.getByRole("region", { name: "List" }));
  await user.click(list.getByRole("button", { name: /^Work/ }));
  expect(screen.queryByText("Not saved")).toBeNull();
  type(field("Form of the answer"), '{"type": ');
  expect(screen.getByText("Not saved")).toBeTruthy();
  expect(screen.getByRole("heading", { level: 1 }).textContent).toContain("1 problem");
  const typed = field("Form of the answer").value;
  // Another step is looked at in between.
  await user.click(list.getByRole("button", { name: /^More/ }));
  expect(field("Form of the answer").value).toBe("");
  await user.click(list.getByRole("button", { name: /^Work/ }));
  expect(field("Form of the answer").value).toBe(typed);
  await user.click(screen.getByRole("button", { name: "Undo" }));
  expect(JSON.parse(field("Form of the answer").value)).toEqual({ type: "object" });
  expect(screen.queryByText("Not saved")).toBeNull();
  // Theirs is taken, with all that their forms show.
  type(field("Form of the answer"), "x");
  rerender(provide(<Editor system={system({ version: 2, description: "Theirs." })} />));
  await user.click(await screen.findByRole("button", { name: "Take theirs" }));
  expect(JSON.parse(field("Form of the answer").value)).toEqual({ type: "object" });
  expect(screen.queryByText("Not saved")).toBeNull();
}, 20_000);

test("undo takes back what was typed last of what is in sight, and nothing else", async () => {
  render(provide(<Editor system={system()} />));
  const list = within(screen.getByRole("region", { name: "List" }));
  const undo = () => screen.getByRole<HTMLButtonElement>("button", { name: "Undo" });
  await user.click(list.getByRole("button", { name: /^Work/ }));
  type(field("Form of the answer"), '{"type": ');
  await user.click(list.getByRole("button", { name: /^More/ }));
  expect(undo().disabled).toBe(true);
  type(field("Name"), "Much more");
  await user.click(undo());
  expect(field("Name").value).toBe("More");
  await user.click(list.getByRole("button", { name: /^Work/ }));
  expect(field("Form of the answer").value).toBe('{"type": ');
  // It was typed first, and goes after what came later.
  type(field("Name"), "Working");
  await user.click(undo());
  expect(field("Name").value).toBe("Work");
  expect(field("Form of the answer").value).toBe('{"type": ');
  await user.click(undo());
  expect(JSON.parse(field("Form of the answer").value)).toEqual({ type: "object" });
  expect(undo().disabled).toBe(true);
  expect(screen.queryByText("Not saved")).toBeNull();
}, 20_000);

test("what is no JSON yet stays with its step, whatever id that has", async () => {
  render(provide(<Editor system={system()} />));
  const list = within(screen.getByRole("region", { name: "List" }));
  const typed = () => field("Form of the answer").value;
  await user.click(list.getByRole("button", { name: /^Work/ }));
  type(field("Form of the answer"), '{"type": ');
  // Whoever renames it and goes on by a key is in the next field then.
  await user.clear(field("Id"));
  await user.type(field("Id"), "job");
  await user.tab();
  expect(document.activeElement).toBe(screen.getByRole("combobox", { name: "Agent" }));
  expect(typed()).toBe('{"type": ');
  await user.click(screen.getByRole("button", { name: "Undo" }));
  await user.click(list.getByRole("button", { name: /^Work/ }));
  expect(field("Id").value).toBe("work");
  expect(typed()).toBe('{"type": ');
}, 20_000);

test("a new step has nothing of a deleted one whose id it has", async () => {
  render(provide(<Editor system={system()} />));
  const list = within(screen.getByRole("region", { name: "List" }));
  await user.click(list.getByRole("button", { name: /^Work/ }));
  type(field("Form of the answer"), '{"type": ');
  await user.click(list.getByRole("button", { name: "Delete step: Work" }));
  await user.click(screen.getByRole("button", { name: "Add a step" }));
  await user.click(await screen.findByRole("menuitem", { name: /^Agent/ }));
  expect(field("Id").value).toBe("work");
  await user.click(screen.getByRole("combobox", { name: "Its closing words are" }));
  await user.click(await screen.findByRole("option", { name: "JSON" }));
  expect(field("Form of the answer").value).toBe("");
}, 20_000);

test("what is renamed keeps the field that comes next", async () => {
  let now: SystemDefinition = { ...freshSystem("x"), variables: { value: "a" } };
  function Form() {
    const [definition, setDefinition] = useState(now);
    now = definition;
    return <SystemForm definition={definition} problems={[]} disabled={false} onChange={setDefinition} />;
  }
  render(provide(<Form />));
  await user.click(screen.getByText("Variables, labels and result"));
  const variables = within(screen.getByRole("region", { name: "Variables" }));
  await user.clear(variables.getByLabelText("Id"));
  await user.type(variables.getByLabelText("Id"), "count");
  await user.tab();
  await user.keyboard("b");
  expect(now.variables).toEqual({ count: "b" });
  const asked = within(screen.getByRole("region", { name: "What it asks for" }));
  await user.clear(asked.getByLabelText("Id"));
  await user.type(asked.getByLabelText("Id"), "goal");
  await user.tab();
  expect(document.activeElement).toBe(asked.getByRole("combobox", { name: "Holds" }));
  expect(Object.keys(now.inputSchema?.properties ?? {})).toEqual(["goal"]);
}, 20_000);

test("what is folded away unfolds while something in it is wrong", async () => {
  const folded = (name: string) => {
    const details = screen.getByText(name).closest("details");
    if (details === null) throw new Error(`${name} is not folded away`);
    return details;
  };
  const problem = (path: string) => ({ path, stepId: null, message: "It is wrong." });
  const shown = (...problems: string[]) =>
    provide(
      <SystemForm
        definition={{ ...freshSystem("x"), variables: { "2": 1 } }}
        problems={problems.map(problem)}
        disabled={false}
        onChange={() => {}}
      />,
    );
  const system = render(shown());
  const more = "Variables, labels and result";
  expect(folded(more).open).toBe(false);
  for (const path of ["variables", "variables.2", "category", "icon", "tags", "outputSchema"]) {
    system.rerender(shown(path));
    expect(folded(more).open, path).toBe(true);
    expect(within(folded(more)).getByText("It is wrong."), path).toBeTruthy();
    await user.click(screen.getByText(more));
    expect(folded(more).open, path).toBe(true);
    // Once mended it is not folded under whoever mends it, but can be.
    system.rerender(shown());
    expect(folded(more).open, path).toBe(true);
    await user.click(screen.getByText(more));
    expect(folded(more).open, path).toBe(false);
  }
  system.unmount();
  const places = { unfinished: { "/outputSchema": { text: "{" } }, tell: () => {} };
  const desk = render(<Desk value={places}>{shown()}</Desk>);
  expect(folded(more).open).toBe(true);
  desk.unmount();
  render(
    provide(
      <StepForm
        step={step}
        definition={freshSystem("x")}
        problems={[{ path: "workflow[0].retry.delayMs", stepId: "work", message: "Too long." }]}
        disabled={false}
        onChange={() => {}}
        onRename={() => true}
      />,
    ),
  );
  expect(folded("Failure and time").open).toBe(true);
}, 20_000);

test("all that a system has can be set", async () => {
  let now: SystemDefinition = freshSystem("x");
  function Form() {
    const [definition, setDefinition] = useState(now);
    now = definition;
    return <SystemForm definition={definition} problems={[]} disabled={false} onChange={setDefinition} />;
  }
  render(provide(<Form />));
  type(field("Category"), "Planning");
  type(field("Icon"), "map");
  type(field("Labels"), "one, two");
  type(field("Form of its result"), '{"type": "object"}');
  await user.click(screen.getByRole("button", { name: "Add a variable" }));
  type(field("Value of value"), "3");
  expect(now).toMatchObject({
    category: "Planning",
    icon: "map",
    tags: ["one", "two"],
    outputSchema: { type: "object" },
    variables: { value: 3 },
  });
  const asked = within(screen.getByRole("region", { name: "What it asks for" }));
  type(asked.getByLabelText(/^What is meant by it/), "The work.");
  type(asked.getByLabelText(/^When nothing is given/), "two");
  type(asked.getByLabelText(/^Only one of these/), "one\ntwo");
  type(asked.getByLabelText(/^Characters at most/), "9");
  expect(now.inputSchema?.properties?.task).toEqual({
    type: "string",
    title: "Task",
    format: "multiline",
    description: "The work.",
    default: "two",
    enum: ["one", "two"],
    maxLength: 9,
  });
}, 20_000);
