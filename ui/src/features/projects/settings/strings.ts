import type { CheckStatus, NetworkPolicy, TrialStatus } from "@/api/types";

/** What a project's settings say of the team's knowledge. */
export const knowing = {
  tokens: "Knowledge in the instructions",
  tokensHelp:
    "Blueprints and verified learnings of the hub that suit a card go into its agents' instructions, up to this size. What has no room is offered by its title.",
  size: (tokens: number) =>
    tokens === 0
      ? "None"
      : `Up to ${tokens.toLocaleString("en")} tokens${tokens === 4_000 ? " (usual)" : ""}`,
  asks: "Ask what is worth keeping",
  asksHelp:
    "Once, when the work has passed its checks. What the agent records waits for a member to look at it.",
};

/** What a project's settings say of the network. */
export const network = {
  title: "Network",
  lead: "What the commands of agents and checks reach. Nothing leads out of their sandbox but a proxy of Guildhall's own, and never to this server's machine or network.",
  policy: "What commands reach",
  policies: {
    none: { label: "Nothing", help: "Commands work with what is there." },
    "allow-list": {
      label: "The hosts on a list",
      help: "Everything else is refused, and told below.",
    },
    open: {
      label: "Every public host",
      help: "An agent that is led astray can send what it sees to anybody. Only admins choose this.",
    },
  } satisfies Record<NetworkPolicy, { label: string; help: string }>,
  registries: "Package registries",
  registriesHelp: "Where the packages of the usual languages and distributions come from.",
  which: (count: number) => `Which ${count} hosts these are`,
  hosts: "Other hosts",
  hostsHelp:
    "One on each line: example.com, or *.example.com for all below it, at the ports 80 and 443; or another port behind a colon.",
  refused: "Refused hosts",
  refusedLead: "Commands asked for these. What you allow holds at once, also for runs at work.",
  none: "No command was refused a host.",
  times: (count: number) => (count === 1 ? "once" : `${count.toLocaleString("en")} times`),
  last: "last",
  allow: "Allow",
  allowOne: (host: string) => `Allow ${host}`,
  allowed: (host: string) => `${host} is allowed`,
  dismiss: "Dismiss",
  dismissOne: (host: string) => `Dismiss ${host}`,
  ofRun: "Commands of this run were refused these hosts:",
  settings: "Network settings",
};

/** What a project's settings say of what follows the work. */
export const w = {
  checks: {
    title: "Checks",
    lead: "Commands that must pass before a feature counts as verified. They run in order, in the feature's worktree, in the sandbox.",
    one: (n: number) => `Check ${n}`,
    remove: (n: number) => `Remove check ${n}`,
    add: "Add a check",
    minutes: "Minutes that each may take",
    minutesHelp: "A check that takes longer is ended and counts as failed.",
  },
  trial: {
    title: "Try the checks now",
    lead: "Runs what stands above, saved or not, on the default branch, before the night depends on it.",
    start: "Try the checks",
    again: "Try again",
    none: "Write a check first.",
    on: "on",
    status: {
      running: "They run",
      passed: "All passed",
      failed: "Not all passed",
      stopped: "Broken off",
    } satisfies Record<TrialStatus, string>,
    check: { running: "runs", passed: "passed", failed: "failed" } satisfies Record<CheckStatus, string>,
    noOutput: "It printed nothing.",
  },
  pipeline: {
    title: "Pipeline",
    lead: "After the agent's work and before the checks, each step is a further agent that looks at the change with fresh eyes. It can mend files, or send the work back.",
    empty: "No steps: finished work goes straight to the checks.",
    add: "Add a step",
    template: { review: "Add a review", security: "Add a security pass", docs: "Add documentation" },
    name: "Name",
    instructions: "Instructions",
    model: "Model",
    ownModel: "The run's own",
    enabled: "On",
    returns: "May send the work back",
    failure: "If it does not pass",
    up: (name: string) => `Move ${name} up`,
    down: (name: string) => `Move ${name} down`,
    remove: (name: string) => `Remove ${name}`,
    unnamed: (n: number) => `step ${n}`,
    step: (n: number, name: string) => `Step ${n}: ${name}`,
    moved: (name: string, place: number, all: number) => `${name} is step ${place} of ${all} now`,
    note: "A run uses the steps as they are when its work reaches the pipeline. Steps that come later see what earlier ones changed, so a review that should see everything comes last.",
    onFailure: { stop: "The card waits for a person", go_on: "The next step begins" },
    returnsOf: ["Never", "Once", "Twice", "Three times"],
  },
} as const;

/** What one may begin with. */
export const TEMPLATES = {
  review: {
    name: "Review",
    instructions:
      "Review the change as a careful colleague would: is it right, complete and tested, does it fit the code around it, and does it do what the card asks and nothing else? Ask for changes where something is wrong.",
  },
  security: {
    name: "Security",
    instructions:
      "Look for what an attacker could use in the change: input that is not checked, access that is not closed, secrets, paths, commands and queries made of strings, new dependencies. Ask for changes where you can show a way in.",
  },
  docs: {
    name: "Documentation",
    instructions:
      "Bring the documentation in line with the change, where the project has some: README, docs, comments on public items. Write it yourself, briefly, in the project's own style. Leave everything else as it is.",
  },
} as const;
