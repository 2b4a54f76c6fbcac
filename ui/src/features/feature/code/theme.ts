import type { ThemeRegistrationRaw } from "@shikijs/core";

/** Which scopes belong to which kind of token. The kind's number is its class in feature.css: `tok-1`, `tok-2`, … */
const KINDS: readonly (readonly string[])[] = [
  // 1: comments
  ["comment", "punctuation.definition.comment", "string.comment"],
  // 2: keywords
  [
    "keyword",
    "storage",
    "storage.type",
    "storage.modifier",
    "keyword.operator.new",
    "keyword.operator.expression",
  ],
  // 3: strings
  ["string", "markup.inline.raw", "markup.fenced_code", "string.unquoted", "punctuation.definition.string"],
  // 4: numbers and constants
  [
    "constant",
    "constant.numeric",
    "constant.language",
    "support.constant",
    "variable.other.constant",
    "keyword.other.unit",
  ],
  // 5: functions
  [
    "entity.name.function",
    "support.function",
    "meta.function-call.generic",
    "variable.function",
    "markup.list punctuation.definition.list",
  ],
  // 6: types
  [
    "entity.name.type",
    "entity.name.class",
    "entity.name.namespace",
    "entity.other.inherited-class",
    "support.type",
    "support.class",
    "storage.type.primitive",
    "storage.type.numeric",
  ],
  // 7: tags and attributes
  ["entity.name.tag", "meta.selector", "entity.other.attribute-name.class.css", "punctuation.definition.tag"],
  [
    "entity.other.attribute-name",
    "support.type.property-name",
    "meta.object-literal.key",
    "variable.other.property",
    "meta.attribute",
    "entity.name.label",
  ],
  // 9: regular expressions and escapes
  [
    "string.regexp",
    "constant.character.escape",
    "punctuation.definition.interpolation",
    "punctuation.section.embedded",
    "punctuation.definition.template-expression",
  ],
  // 10: headings
  ["markup.heading", "entity.name.section", "markup.bold"],
  // 11: punctuation and operators
  ["punctuation", "keyword.operator", "meta.brace"],
  // 12 and 13: a diff within
  ["markup.inserted"],
  ["markup.deleted"],
  // 14: what stays plain, although a wider rule would colour it
  [
    "variable",
    "variable.parameter",
    "string variable",
    "punctuation.separator.key-value.mapping.yaml",
    "meta.embedded",
  ],
];

const color = (kind: number) => `#${kind.toString(16).padStart(6, "0")}`;

/** A theme whose colours are no colours but the numbers of the kinds; the page's own styles say how each looks. */
export const theme: ThemeRegistrationRaw = {
  name: "kinds",
  type: "dark",
  fg: color(0),
  bg: "#ffffff",
  settings: [
    { settings: { foreground: color(0), background: "#ffffff" } },
    ...KINDS.map((scope, at) => ({
      scope: [...scope],
      settings: { foreground: color(at + 1 === 14 ? 0 : at + 1) },
    })),
  ],
};

/** The kind that a token's colour stands for. */
export function kindOf(value: string | undefined): number {
  const kind = value === undefined ? 0 : Number.parseInt(value.slice(1, 7), 16);
  return kind <= KINDS.length ? kind : 0;
}
