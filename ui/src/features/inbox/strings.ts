/** What the inbox says to who is new. */
export const firstSteps = {
  title: (name: string) => `Welcome, ${name.split(" ")[0]}`,
  lead: "What agents finish, and what they need of you, comes here. This is how it begins.",
  hide: "Hide",
  done: "done",
  key: {
    title: "Put your key in place",
    text: "Agents work for you with your own key of a model provider. It is sealed, and nobody sees it again.",
  },
  addKey: "Add a key",
  noKey:
    "You have no key of a model provider, and the team has none for you: cards of yours cannot begin but on a simulated model.",
  card: {
    title: "Write a card and start it",
    text: "Say what should be built. An agent works on it in a branch of its own.",
  },
  openBoard: (project: string) => `Open ${project}`,
  hub: {
    title: "See what the team knows",
    text: "Every agent reads it before it begins, and you can add to it.",
  },
  openHub: "Open the knowledge hub",
} as const;
