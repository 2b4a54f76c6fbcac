//! The models that Guildhall knows: their windows, their prices, and how they are asked to think.

use guildhall_types::chat::Usage;
use guildhall_types::member::ProviderKind;
use serde::Serialize;
use utoipa::ToSchema;

/// How a model takes a wish for reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reasoning {
    /// It decides itself; an effort steers it.
    Adaptive,
    /// It gets a budget of tokens.
    Budget,
}

/// A model, with prices in micro-dollars per million tokens (which is dollars per million times a million).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// The provider's name for it.
    pub id: &'static str,
    /// The name that is shown.
    pub name: &'static str,
    /// Whose it is.
    pub provider: ProviderKind,
    /// Tokens that a conversation may have.
    pub context_window: i64,
    /// Tokens that one answer may have.
    pub max_output: i64,
    /// Input that is neither read from nor written to the cache.
    pub input_price: i64,
    /// Output.
    pub output_price: i64,
    /// Input that is read from the cache.
    pub cache_read_price: i64,
    /// Input that is written to the cache for five minutes.
    pub cache_write_price: i64,
    /// Whether it plays a model: it needs no key and costs nothing.
    pub simulated: bool,
    /// How it takes a wish for reasoning.
    #[serde(skip)]
    pub reasoning: Reasoning,
}

/// The simulated model's name.
pub const SIMULATED: &str = "simulated";

const fn claude(id: &'static str, name: &'static str, prices: [i64; 4]) -> Model {
    Model {
        id,
        name,
        provider: ProviderKind::Anthropic,
        context_window: 1_000_000,
        max_output: 128_000,
        input_price: prices[0],
        output_price: prices[1],
        cache_read_price: prices[2],
        cache_write_price: prices[3],
        simulated: false,
        reasoning: Reasoning::Adaptive,
    }
}

/// Windows and prices as of November 2026, from the providers' model pages (platform.claude.com/docs/…/models).
static MODELS: &[Model] = &[
    claude("claude-opus-5-5", "Claude Opus 5.5", [4_000_000, 20_000_000, 200_000, 5_000_000]),
    claude("claude-sonnet-5-5", "Claude Sonnet 5.5", [2_000_000, 10_000_000, 200_000, 2_500_000]),
    claude("claude-fable-5-1", "Claude Fable 5.1", [10_000_000, 50_000_000, 1_000_000, 12_500_000]),
    Model {
        context_window: 200_000,
        max_output: 64_000,
        reasoning: Reasoning::Budget,
        ..claude("claude-haiku-4-5", "Claude Haiku 4.5", [1_000_000, 5_000_000, 100_000, 1_250_000])
    },
    Model {
        context_window: 200_000,
        max_output: 32_000,
        simulated: true,
        ..claude(SIMULATED, "Simulated (no key)", [0, 0, 0, 0])
    },
];

/// The model for a team that has a key and chose none.
pub const DEFAULT: &str = "claude-opus-5-5";

/// Every model, the recommended one first.
pub fn all() -> &'static [Model] {
    MODELS
}

/// What is known of a model. A dated name, such as `claude-haiku-4-5-20251001`, means the model without the date, and so
/// does `…-latest`.
pub fn find(id: &str) -> Option<&'static Model> {
    let is_date = |text: &str| text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    MODELS.iter().find(|model| {
        id.strip_prefix(model.id).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix('-').is_some_and(|end| end == "latest" || is_date(end))
        })
    })
}

/// What to assume of a model: of an unknown one (a compatible server's own), a cautious window and no price.
pub fn assume(id: &str) -> Model {
    find(id).cloned().unwrap_or(Model {
        name: "another model",
        context_window: 128_000,
        max_output: 16_000,
        reasoning: Reasoning::Budget,
        ..claude("", "", [0, 0, 0, 0])
    })
}

impl Model {
    /// What a call costs, in micro-dollars, rounded up.
    pub fn cost_micros(&self, usage: &Usage) -> i64 {
        let parts = [
            (usage.input_tokens, self.input_price),
            (usage.output_tokens, self.output_price),
            (usage.cache_read_tokens, self.cache_read_price),
            (usage.cache_write_tokens, self.cache_write_price),
        ];
        let sum: i128 = parts.iter().map(|(tokens, price)| i128::from(*tokens) * i128::from(*price)).sum();
        i64::try_from((sum + 999_999) / 1_000_000).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_name_means_the_same_model() {
        assert_eq!(find("claude-haiku-4-5-20251001").map(|model| model.id), Some("claude-haiku-4-5"));
        assert_eq!(find("claude-opus-5-5-latest").map(|model| model.id), Some("claude-opus-5-5"));
        for other in ["claude-opus-5-5-turbo", "claude-opus-5-5-1", "claude-opus-5-5-", "gpt", ""] {
            assert!(find(other).is_none(), "{other}");
        }
        assert_eq!(assume("llama").context_window, 128_000);
    }

    #[test]
    fn the_cost_adds_up_and_is_rounded_up() {
        let usage =
            Usage { input_tokens: 1_000, output_tokens: 500, cache_read_tokens: 100_000, cache_write_tokens: 1 };
        // 1,000 × $2 + 500 × $10 + 100,000 × $0.20 + 1 × $2.50 for a million each = $0.027 and a bit.
        assert_eq!(find("claude-sonnet-5-5").unwrap().cost_micros(&usage), 27_003);
        assert_eq!(find(SIMULATED).unwrap().cost_micros(&usage), 0);
    }
}
