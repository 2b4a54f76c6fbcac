//! What a server says of its tools, as far as it is taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use guildhall_types::mcp::{McpShape, SHAPE, TOOL_NAME, TOOLS, is_hidden, is_tool_name};
use rmcp::model::{JsonObject, Tool};
use serde_json::Value;

use super::blot::Blot;

/// Bytes of all that a server says of its tools at most.
const SUM: usize = 1024 * 1024;
/// Tools that are named of those that are left out for one reason, and characters of each name.
const NAMED: usize = 8;
const NAME: usize = 60;

/// Why a tool is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    Name,
    Words,
    Schema,
    Sum,
}

impl Why {
    fn words(self) -> String {
        match self {
            Self::Name => format!(
                "their names are empty, longer than {TOOL_NAME} characters, or hold what cannot be seen or kept"
            ),
            Self::Words => format!(
                "what the server says of each is over {} KiB, repeats a secret that it was given, or cannot be kept",
                SHAPE / 1024
            ),
            Self::Schema => {
                "the schema of their arguments is not an object's, or has oneOf, anyOf or allOf at its top, which \
                             not every model takes"
                    .to_owned()
            }
            Self::Sum => format!(
                "a server may offer {TOOLS} tools and say {} MiB of all of them, and this one says more",
                SUM / (1024 * 1024)
            ),
        }
    }
}

/// The tools that a server told of.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) shapes: Vec<McpShape>,
    /// Bytes of them.
    bytes: usize,
    full: bool,
    /// The names of those that are left out, as many as are told, and how many there are.
    left: BTreeMap<Why, (Vec<String>, usize)>,
}

impl Listed {
    /// Takes in what a server says of a tool.
    pub(crate) fn take(&mut self, tool: Tool, blot: &Blot) {
        let name = tool.name.to_string();
        if self.shapes.iter().any(|known| known.name == name) {
            return;
        }
        let taken = shape(tool, blot).and_then(|(shape, length)| {
            self.full |= self.shapes.len() >= TOOLS || self.bytes + length > SUM;
            if self.full { Err(Why::Sum) } else { Ok((shape, length)) }
        });
        match taken {
            Ok((shape, length)) => {
                self.bytes += length;
                self.shapes.push(shape);
            }
            Err(why) => {
                let (names, count) = self.left.entry(why).or_default();
                *count += 1;
                if names.len() < NAMED {
                    let name: String = name.chars().take(NAME).collect();
                    names.push(blot.over(&seen(&name)));
                }
            }
        }
    }

    /// Whether no more are taken.
    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    /// Which tools are left out, and why.
    pub(crate) fn left_out(&self) -> Option<String> {
        let reasons = self.left.iter().map(|(why, (names, count))| {
            let more = count - names.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{}{more}, because {}", names.join(", "), why.words())
        });
        let reasons: Vec<String> = reasons.collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

/// What a server says of a tool, and its length. Nothing that is too much, is kept by no database, or repeats a secret.
fn shape(tool: Tool, blot: &Blot) -> Result<(McpShape, usize), Why> {
    let name = tool.name.into_owned();
    if !is_tool_name(&name) {
        return Err(Why::Name);
    }
    let object = |schema: Arc<JsonObject>| all_seen(Value::Object(Arc::unwrap_or_clone(schema)));
    let shape = McpShape {
        name,
        description: tool.description.map(|text| seen(text.trim())).unwrap_or_default(),
        input_schema: object(tool.input_schema),
        output_schema: tool.output_schema.map(object),
        read_only: tool.annotations.and_then(|hints| hints.read_only_hint).unwrap_or(false),
    };
    let text = shape.canonical();
    if text.len() > SHAPE || text.contains("\\u0000") || blot.is_in(&text) {
        return Err(Why::Words);
    }
    if shape.is_callable() { Ok((shape, text.len())) } else { Err(Why::Schema) }
}

/// A text in which everything is seen, by the member who approves it and by the model.
fn seen(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) {
            true => all.extend(c.escape_unicode()),
            false => all.push(c),
        }
    }
    all
}

/// The same with each text in it, the names of fields included.
fn all_seen(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(seen(&text)),
        Value::Array(items) => items.into_iter().map(all_seen).collect(),
        Value::Object(object) => object.into_iter().map(|(key, value)| (seen(&key), all_seen(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, says: &str, schema: Value) -> Tool {
        serde_json::from_value(json!({ "name": name, "description": says, "inputSchema": schema })).unwrap()
    }

    fn object() -> Value {
        json!({ "type": "object" })
    }

    #[test]
    fn what_cannot_be_seen_is_written_out_before_it_is_hashed() {
        let hidden = "Adds.\u{e0041}\u{e007f}\u{202e}\u{200b}\u{feff}\u{2060} Größe ⚠️\n\tDone";
        let schema = json!({ "type": "object", "properties": { "a\u{200d}": { "description": ["\u{2066}x", 1] } } });
        let (shape, _) =
            shape(tool("add", hidden, schema), &Blot::new(&[], guildhall_types::blot::Blot::default())).unwrap();
        let shown = r"Adds.\u{e0041}\u{e007f}\u{202e}\u{200b}\u{feff}\u{2060} Größe ⚠️".to_owned() + "\n\tDone";
        assert_eq!(shape.description, shown);
        let properties = json!({ r"a\u{200d}": { "description": [r"\u{2066}x", 1] } });
        assert_eq!(shape.input_schema["properties"], properties);
        assert!(!shape.canonical().chars().any(is_hidden));
    }

    #[test]
    fn tools_that_no_agent_could_have_are_left_out_and_named() {
        let mut listed = Listed::default();
        let blot = Blot::new(&[], guildhall_types::blot::Blot::default());
        for one in [
            tool("add", "Adds.", object()),
            tool("add", "Another of the name.", object()),
            tool("any", "", json!({ "type": "object", "anyOf": [] })),
            tool("bare", "", json!({})),
            tool("a\u{200b}b", "", object()),
            tool("nul", "\0", object()),
            tool("long", &"x".repeat(SHAPE), object()),
        ] {
            listed.take(one, &blot);
        }
        assert_eq!(listed.shapes.len(), 1);
        let left = listed.left_out().unwrap();
        assert!(left.contains("any, bare, because the schema") && left.contains("nul, long, because"), "{left}");
        assert!(left.contains(r"a\u{200b}b, because their names") && !listed.is_full(), "{left}");
        for n in 0..100 {
            listed.take(tool(&format!("t{n}"), &"x".repeat(SHAPE / 2), object()), &blot);
        }
        assert!(listed.is_full() && listed.bytes <= SUM && (30..33).contains(&listed.shapes.len()));
        let left = listed.left_out().unwrap();
        assert!(left.contains(" more, because a server may offer 200 tools and say 1 MiB"), "{left}");
    }
}
