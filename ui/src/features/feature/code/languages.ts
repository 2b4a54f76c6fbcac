type Grammars = () => Promise<{ default: readonly object[] }>;

/** Grammars, each in a script of its own that is fetched when a file needs it. */
const GRAMMARS: Record<string, Grammars> = {
  shellscript: () => import("@shikijs/langs/shellscript"),
  c: () => import("@shikijs/langs/c"),
  cpp: () => import("@shikijs/langs/cpp"),
  csharp: () => import("@shikijs/langs/csharp"),
  css: () => import("@shikijs/langs/css"),
  dart: () => import("@shikijs/langs/dart"),
  diff: () => import("@shikijs/langs/diff"),
  docker: () => import("@shikijs/langs/docker"),
  elixir: () => import("@shikijs/langs/elixir"),
  erlang: () => import("@shikijs/langs/erlang"),
  go: () => import("@shikijs/langs/go"),
  graphql: () => import("@shikijs/langs/graphql"),
  haskell: () => import("@shikijs/langs/haskell"),
  hcl: () => import("@shikijs/langs/hcl"),
  html: () => import("@shikijs/langs/html"),
  ini: () => import("@shikijs/langs/ini"),
  java: () => import("@shikijs/langs/java"),
  javascript: () => import("@shikijs/langs/javascript"),
  jsx: () => import("@shikijs/langs/jsx"),
  json: () => import("@shikijs/langs/json"),
  jsonc: () => import("@shikijs/langs/jsonc"),
  kotlin: () => import("@shikijs/langs/kotlin"),
  lua: () => import("@shikijs/langs/lua"),
  make: () => import("@shikijs/langs/make"),
  markdown: () => import("@shikijs/langs/markdown"),
  nix: () => import("@shikijs/langs/nix"),
  perl: () => import("@shikijs/langs/perl"),
  php: () => import("@shikijs/langs/php"),
  powershell: () => import("@shikijs/langs/powershell"),
  proto: () => import("@shikijs/langs/proto"),
  python: () => import("@shikijs/langs/python"),
  r: () => import("@shikijs/langs/r"),
  ruby: () => import("@shikijs/langs/ruby"),
  rust: () => import("@shikijs/langs/rust"),
  scala: () => import("@shikijs/langs/scala"),
  scss: () => import("@shikijs/langs/scss"),
  sql: () => import("@shikijs/langs/sql"),
  svelte: () => import("@shikijs/langs/svelte"),
  swift: () => import("@shikijs/langs/swift"),
  toml: () => import("@shikijs/langs/toml"),
  tsx: () => import("@shikijs/langs/tsx"),
  typescript: () => import("@shikijs/langs/typescript"),
  vue: () => import("@shikijs/langs/vue"),
  xml: () => import("@shikijs/langs/xml"),
  yaml: () => import("@shikijs/langs/yaml"),
  zig: () => import("@shikijs/langs/zig"),
};

const ENDINGS: Record<string, string> = {
  sh: "shellscript",
  bash: "shellscript",
  zsh: "shellscript",
  fish: "shellscript",
  bats: "shellscript",
  h: "c",
  cc: "cpp",
  cxx: "cpp",
  hpp: "cpp",
  hh: "cpp",
  cs: "csharp",
  patch: "diff",
  ex: "elixir",
  exs: "elixir",
  erl: "erlang",
  gql: "graphql",
  hs: "haskell",
  tf: "hcl",
  htm: "html",
  cfg: "ini",
  conf: "ini",
  properties: "ini",
  env: "ini",
  service: "ini",
  js: "javascript",
  mjs: "javascript",
  cjs: "javascript",
  json5: "jsonc",
  webmanifest: "json",
  kt: "kotlin",
  kts: "kotlin",
  mk: "make",
  md: "markdown",
  mdx: "markdown",
  pl: "perl",
  pm: "perl",
  ps1: "powershell",
  py: "python",
  pyi: "python",
  rb: "ruby",
  rs: "rust",
  sass: "scss",
  less: "css",
  lock: "toml",
  ts: "typescript",
  mts: "typescript",
  cts: "typescript",
  svg: "xml",
  xsl: "xml",
  xsd: "xml",
  plist: "xml",
  csproj: "xml",
  yml: "yaml",
};

const NAMES: Record<string, string> = {
  dockerfile: "docker",
  containerfile: "docker",
  makefile: "make",
  gnumakefile: "make",
  gemfile: "ruby",
  rakefile: "ruby",
  ".bashrc": "shellscript",
  ".profile": "shellscript",
  ".editorconfig": "ini",
  ".gitconfig": "ini",
  "tsconfig.json": "jsonc",
  "package-lock.json": "json",
  "yarn.lock": "yaml",
  "go.mod": "go",
};

/** The language of a file by its name, or by its first line when that names an interpreter; nothing when it is not known. */
export function languageOf(path: string, firstLine = ""): string | null {
  const name = (path.split("/").at(-1) ?? "").toLowerCase();
  if (Object.hasOwn(NAMES, name)) return NAMES[name] ?? null;
  const ending = name.includes(".") ? (name.split(".").at(-1) ?? "") : "";
  const language = (Object.hasOwn(ENDINGS, ending) && ENDINGS[ending]) || ending;
  if (Object.hasOwn(GRAMMARS, language)) return language;
  if (firstLine.startsWith("#!")) {
    if (/\b(ba|z|da|k)?sh\b/.test(firstLine)) return "shellscript";
    if (/python/.test(firstLine)) return "python";
    if (/node|deno|bun/.test(firstLine)) return "javascript";
    if (/ruby/.test(firstLine)) return "ruby";
    if (/perl/.test(firstLine)) return "perl";
  }
  return null;
}

export async function grammarsOf(language: string): Promise<readonly object[]> {
  return (await GRAMMARS[language]?.())?.default ?? [];
}
