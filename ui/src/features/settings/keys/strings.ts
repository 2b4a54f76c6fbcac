import type { ProviderKind } from "@/api/types";

/** What is particular to a provider, in the order in which they are shown. */
export const providers: Record<
  ProviderKind,
  { name: string; what: string; placeholder: string; usual: string | null; keyless?: boolean; kept?: boolean }
> = {
  anthropic: {
    name: "Anthropic",
    what: "Claude, or a server that speaks Anthropic's API.",
    placeholder: "sk-ant-…",
    usual: "https://api.anthropic.com",
  },
  openai: {
    name: "OpenAI",
    what: "GPT, or a server that speaks OpenAI's Responses API.",
    placeholder: "sk-…",
    usual: "https://api.openai.com",
  },
  google: {
    name: "Google",
    what: "Gemini, with a key from Google AI Studio.",
    placeholder: "AIza…",
    usual: "https://generativelanguage.googleapis.com/v1beta/openai",
  },
  compatible: {
    name: "OpenAI-compatible server",
    what: "vLLM, Ollama, LiteLLM, OpenRouter and others that speak Chat Completions.",
    placeholder: "Leave empty if the server asks for none",
    usual: null,
    keyless: true,
  },
  claudeSubscription: {
    name: "Claude subscription",
    what: "A token of your subscription, kept for an external agent that comes later. The server itself never uses it, so it cannot be tested.",
    placeholder: "sk-ant-oat…",
    usual: null,
    kept: true,
  },
};

export const own = {
  title: "My API keys",
  lead: "Your runs use your keys before the team's, and never another member's. They are kept sealed, are never shown again, and no agent can reach them.",
  none: "No key.",
  teamUsed: "Your runs use the team's key.",
  teamSpare: "The team's key stands by.",
  removed: (team: boolean, name: string) =>
    team
      ? "Your runs use the team's key from then on."
      : `Your runs cannot call ${name} until you save another one.`,
} as const;

export const team = {
  title: "Team keys",
  lead: "Used by members who have no key of their own. Everyone sees that there is one; nobody sees the key.",
  none: "No key.",
  configured: "From the server's configuration. One that you save here goes before it.",
  by: (name: string) => `by ${name}`,
  removed: (configured: boolean, name: string) =>
    configured
      ? "The one of the server's configuration is used from then on."
      : `Members without a key of their own cannot call ${name} from then on.`,
} as const;

export const words = {
  key: "Key",
  token: "Token",
  baseUrl: "Base URL",
  baseUrlHelp: "Where the provider is, if not at its usual address.",
  serverHelp: "Up to the version, such as http://10.0.0.5:8000/v1.",
  elsewhere: "The provider is at another address",
  add: "Add key",
  addOf: (name: string) => `Add a key for ${name}`,
  test: "Test",
  testOf: (name: string) => `Test the key for ${name}`,
  replace: "Replace",
  replaceOf: (name: string) => `Replace the key for ${name}`,
  remove: "Delete",
  removeOf: (name: string) => `Delete the key for ${name}`,
  removeTitle: "Delete this key?",
  save: "Save key",
  saved: "Key saved",
  cancel: "Cancel",
  placed: "saved",
  used: "last used",
  unused: "not used yet",
  keyless: "without a key",
  at: "At",
  models: (count: number) => (count === 1 ? "1 model" : `${count} models`),
  noModels: "No models listed. Test the key to ask again, or type a model's name on the card.",
  modelNames: "Cards name them compatible/… and the server's own name.",
} as const;
