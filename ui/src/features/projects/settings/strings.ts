import type { CheckStatus, NetworkPolicy, SecretUse, TrialStatus } from "@/api/types";

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

/** What a project's settings say of members' own git. */
export const code = {
  title: "Get the code",
  lead: "The project's repository for your own git: clone it, fetch what agents built, push what you did yourself.",
  clone: "Clone this project",
  notReady: "There is nothing to clone before the repository is ready.",
  token:
    "Git asks for a name and a password: any name will do, and the password is an access token of yours with the scope Git.",
  makeToken: "Make a token for git",
  branches: "Each card's work is on a branch of its own, which its Overview names:",
  fetch: "git fetch && git switch BRANCH",
  inWork:
    "Pushes to the branch of work in progress are refused, so that nobody pulls the ground from under an agent. Push to another branch.",
  forward: (branch: string) =>
    `${branch} only goes forward: it is neither rewritten nor deleted. What you push to it is what the next card begins from.`,
  notYours:
    "Your role looks and changes nothing: the code is for members, admins and owners to clone and push. You see it in each card's changes. An admin can change your role.",
} as const;

/** What a project's settings say of its other repository. */
export const remote = {
  title: "Other repository",
  lead: "Where the team looks at code elsewhere: GitHub, GitLab, Forgejo or any other git server. Cards' work can be pushed there for a pull request; the default branches keep up with each other.",
  none: "The repository is on this server alone.",
  connect: "Connect a repository",
  change: "Change",
  url: "Address",
  urlHelp:
    "As git clone takes it, by https with a name and a token before the host. Both are sealed and never shown again. By ssh, the server's own key lets in.",
  urlKept:
    "What lets in there is kept while the address stays as it is. To exchange it, put a name and a token before the host.",
  follows: {
    label: "Take what is merged there",
    short: "Takes what is merged there",
    help: "Looks there every five minutes. Cards whose work came with it are completed.",
  },
  pushes: {
    label: "Push what is merged here",
    short: "Pushes what is merged here",
    help: "Within a minute. Nothing there is ever overwritten.",
  },
  withLogin: "With a login",
  withoutLogin: "Without a login",
  never: "Not looked at yet",
  looked: "looked at",
  stands: ({ ahead, behind }: { ahead: number | null; behind: number | null }) => {
    if (ahead === null || behind === null) return "How they stand is not known";
    if (ahead === 0 && behind === 0) return "Both are the same";
    const commits = (n: number) => (n === 1 ? "1 commit" : `${n.toLocaleString("en")} commits`);
    return [ahead > 0 && `${commits(ahead)} only here`, behind > 0 && `${commits(behind)} only there`]
      .filter(Boolean)
      .join(", ");
  },
  sync: "Bring up to date",
  synced: "Up to date",
  notSynced: "Not brought up to date",
  remove: "Disconnect",
  removeTitle: "Disconnect this repository?",
  removeText: "What lets in there is deleted here. Both repositories stay as they are.",
  removed: "Disconnected",
  put: "Connect",
  done: "Connected",
} as const;

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
  registriesHelp:
    "Where the packages of the usual languages and distributions come from. Some of these hosts, such as npm's and RubyGems', also take packages from whoever has a token: where a project has secrets, leave them out and list what its builds need.",
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

/** What a project's settings say of what its commands are given. */
export const outfit = {
  setUp: {
    title: "Set-up",
    lead: "Commands that make a worktree ready, such as installing dependencies. They run in order, in the sandbox, once in each worktree before its agent begins, and again when they change.",
    one: (n: number) => `Set-up command ${n}`,
    remove: (n: number) => `Remove set-up command ${n}`,
    add: "Add a command",
    minutes: "Minutes that each set-up command may take",
    minutesHelp: "If one fails or takes longer, the run stops before its agent begins, and can be retried.",
  },
  keeping: {
    title: "Caches and toolchains",
    lead: "What package managers fetch and compilers build is kept for the next run. It is never part of the work.",
    size: "GiB that may be kept",
    sizeHelp: "Over that, what was not changed for longest goes when no run works with it. 0 keeps nothing.",
    shared: "All members share it",
    sharedHelp:
      "Otherwise each member's runs have their own: what one agent leaves there, another member's agent never runs.",
    kept: "Kept on this server",
    of: (bytes: string, most: string) => `${bytes} of ${most}`,
    inUse: "in use",
    clear: "Clear",
    clearTitle: "Clear the caches?",
    clearText: "Nothing of the work is lost. The next runs fetch and build everything anew.",
    cleared: "Caches cleared",
    toolchains: "Toolchains",
    noToolchains:
      "The system's own programs alone. Whoever runs this server can list others; `guildhall doctor` proposes them.",
  },
  secrets: {
    title: "Secrets",
    lead: "What commands need and nobody should read: a test database's address, a registry's token. Sealed, never shown again, and blotted out of what commands print, of diffs and of what agents are told.",
    none: "No secrets yet.",
    add: "Add a secret",
    all: "All commands",
    placed: "saved",
    replace: "Replace",
    replaceOf: (name: string) => `Replace ${name}`,
    remove: "Delete",
    removeOf: (name: string) => `Delete ${name}`,
    removeTitle: (name: string) => `Delete ${name}?`,
    removeText:
      "Commands no longer get it, and its value is no longer blotted out. Exchange it where it comes from if it may have been seen.",
    removed: "Secret deleted",
    name: "Name",
    nameHelp: "The environment variable in which commands find it.",
    value: "Value",
    valueHelp: "At least 8 characters. It cannot be read again, only replaced.",
    given: "Given to",
    uses: {
      "set-up": { label: "Set-up", what: "Every command that makes a worktree ready." },
      checks: { label: "Checks", what: "Every check, and every trial of the checks." },
      agents: {
        label: "Agents",
        what: "A command of an agent that asks for it by name; the run shows that it did.",
      },
      services: { label: "Services", what: "Commands that run on while others do, such as a server." },
      terminals: {
        label: "Terminals",
        what: "A shell in which somebody may change the work. Whoever sits there can read it.",
      },
    } satisfies Record<SecretUse, { label: string; what: string }>,
    put: "Save secret",
    done: "Secret in place",
  },
} as const;

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
    lead: "Runs what stands above after the set-up, saved or not, on the default branch, before the night depends on it.",
    start: "Try the checks",
    again: "Try again",
    stop: "Stop the trial",
    none: "Write a check or a set-up command first.",
    on: "on",
    status: {
      running: "They run",
      passed: "All passed",
      failed: "Not all passed",
      stopped: "Broken off",
    } satisfies Record<TrialStatus, string>,
    setUp: "Set-up",
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
