//! What a step may do without an agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::template::{Context, Reader, render};
use super::{OUTPUT, TEMPLATE};

/// Cards that one step makes at most.
const CARDS: usize = 30;
/// Fields of an object that is put together at most.
pub(super) const FIELDS: usize = 50;

/// What a transform makes. All but the last two are pure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "op", rename_all = "snake_case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Transform {
    /// A text of a template.
    Template {
        /// The template.
        template: String,
    },
    /// What is at a path.
    Pick {
        /// The path.
        from: String,
    },
    /// An object of what is at several paths.
    Fields {
        /// The path of each field, by the field's name.
        fields: BTreeMap<String, String>,
    },
    /// The JSON that a text holds.
    ParseJson {
        /// The path of the text.
        from: String,
    },
    /// What a card's work, or a branch, changes against the default branch.
    Diff {
        /// The path of the card's number or id, or of the branch's name.
        from: String,
    },
    /// Puts cards into the backlog of the project. Only what a person approved may become cards.
    CreateCards {
        /// The path of a list of objects with `title`, `description` and perhaps `priority`, `category` and `after`: the places
        /// in the list, from 1, of cards before it that it depends on.
        from: String,
    },
}

/// What is to be done outside for a transform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum Deed {
    /// Read what this card or branch changes.
    Diff {
        /// A number, an id, or a branch.
        of: String,
    },
    /// Make these cards.
    CreateCards {
        /// The cards.
        cards: Vec<PlannedCard>,
    },
}

/// A card that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedCard {
    /// A few words.
    #[serde(default)]
    pub title: String,
    /// What to build, in Markdown.
    pub description: String,
    /// 1 (first) to 3 (last).
    #[serde(default = "second")]
    pub priority: i64,
    /// A free label.
    #[serde(default)]
    pub category: String,
    /// The places in the list, from 1, of the cards that must be done first. Only of those before it, so that there are no circles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<i64>,
}

const fn second() -> i64 {
    2
}

impl Transform {
    /// The paths that it reads, and its template.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Self::Template { .. } => Vec::new(),
            Self::Pick { from } | Self::ParseJson { from } | Self::Diff { from } | Self::CreateCards { from } => {
                vec![from]
            }
            Self::Fields { fields } => fields.values().map(String::as_str).collect(),
        }
    }

    /// What it makes, if it is pure; what is to be done for it, if not.
    ///
    /// # Errors
    /// Why nothing can be made, in a sentence.
    pub fn apply(&self, context: &Context<'_>) -> Result<Result<Value, Deed>, String> {
        let get = |path: &str| context.get(path).ok_or_else(|| format!("There is nothing at {path}."));
        Ok(Ok(match self {
            Self::Template { template } => {
                let most = OUTPUT.max(TEMPLATE);
                Value::String(render(template, context, Reader::Anybody, most).map_err(|error| error.to_string())?)
            }
            Self::Pick { from } => get(from)?,
            Self::Fields { fields } => {
                let each = fields.iter().map(|(name, path)| (name.clone(), context.get(path).unwrap_or(Value::Null)));
                Value::Object(each.collect::<Map<String, Value>>())
            }
            Self::ParseJson { from } => match get(from)? {
                Value::String(text) => json_in(&text)?,
                already => already,
            },
            Self::Diff { from } => match get(from)? {
                Value::String(of) if !of.trim().is_empty() => return Ok(Err(Deed::Diff { of: of.trim().to_owned() })),
                Value::Number(number) => return Ok(Err(Deed::Diff { of: number.to_string() })),
                _ => return Err(format!("{from} names neither a card nor a branch.")),
            },
            Self::CreateCards { from } => return Ok(Err(Deed::CreateCards { cards: cards_of(&get(from)?)? })),
        }))
    }
}

/// The JSON that a text is: the whole of it, or the one fenced block in it. Fences in its strings are its own.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn json_in(text: &str) -> Result<Value, String> {
    let whole = text.trim();
    if let Ok(value) = serde_json::from_str(whole) {
        return Ok(value);
    }
    let told = |error: serde_json::Error| format!("What was given is no JSON: {error}.");
    let Some((_, block)) = whole.split_once("```") else { return serde_json::from_str(whole).map_err(told) };
    let block = block.strip_prefix("json").unwrap_or(block);
    let mut values = serde_json::Deserializer::from_str(block).into_iter();
    let value = values.next().ok_or("What was given is no JSON: its block is empty.")?.map_err(told)?;
    // The string that holds a fence is read over; what comes behind the value ends the block, and is not another one.
    let rest = block.get(values.byte_offset()..).unwrap_or_default().trim();
    match rest.is_empty() || rest.strip_prefix("```").is_some_and(|after| !after.contains("```")) {
        true => Ok(value),
        false => Err("What was given is no JSON: it holds more than one block, or more than JSON in it.".to_owned()),
    }
}

/// The cards that a list describes.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn cards_of(value: &Value) -> Result<Vec<PlannedCard>, String> {
    let list = match value {
        Value::Array(_) => value,
        Value::Object(fields) => fields.get("cards").unwrap_or(value),
        other => other,
    };
    let cards: Vec<PlannedCard> = serde_json::from_value(list.clone())
        .map_err(|error| format!("This is no list of cards with title and description: {error}."))?;
    match cards.len() {
        0 => Err("The list of cards is empty.".to_owned()),
        count if count > CARDS => Err(format!("{count} cards are too many at once; {CARDS} at most.")),
        _ => (1_i64..).zip(cards).map(|(place, card)| settled(place, card)).collect(),
    }
}

/// A card as it is made, at its place in the list.
fn settled(place: i64, mut card: PlannedCard) -> Result<PlannedCard, String> {
    if card.description.trim().is_empty() {
        return Err(format!("Card {place} says nothing of what to build."));
    }
    if let Some(other) = card.after.iter().find(|other| !(1..place).contains(*other)) {
        return Err(format!(
            "Card {place} is to come after card {other}, which does not stand before it in the list: cards come after earlier \
             ones alone, which are counted from 1."
        ));
    }
    card.after.sort_unstable();
    card.after.dedup();
    card.priority = card.priority.clamp(1, 3);
    Ok(card)
}
