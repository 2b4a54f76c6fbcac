//! The models that Guildhall knows: their windows, their prices, and how they are asked to think.

use std::borrow::Cow;
use std::sync::LazyLock;

use guildhall_types::chat::Usage;
use guildhall_types::member::ProviderKind;
use guildhall_types::price::{Price, PriceRow, row_for};
use serde::Serialize;
use utoipa::ToSchema;

/// How a model takes a wish for reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reasoning {
    /// It decides itself; an effort steers it.
    Adaptive,
    /// It gets a budget of tokens.
    Budget,
    /// It does not reason, or nobody knows whether it does: nothing is said of it.
    None,
}

/// A model, with prices in micro-dollars per million tokens (which is dollars per million times a million).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// How a card names it: the provider's name, or that behind the provider's and a `/`.
    #[schema(value_type = String)]
    pub id: Cow<'static, str>,
    /// The name that is shown.
    #[schema(value_type = String)]
    pub name: Cow<'static, str>,
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

fn claude(id: &'static str, name: &'static str, prices: [i64; 4]) -> Model {
    Model {
        id: Cow::Borrowed(id),
        name: Cow::Borrowed(name),
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

/// A longer conversation costs twice as much with OpenAI, so it is kept below that and the prices below hold. The models
/// themselves take 1,050,000 tokens, of which 922,000 may be input.
const OPENAI_WINDOW: i64 = 272_000;

fn gpt(id: &'static str, name: &'static str, prices: [i64; 4]) -> Model {
    Model {
        provider: ProviderKind::Openai,
        context_window: OPENAI_WINDOW,
        max_output: 128_000,
        ..claude(id, name, prices)
    }
}

fn gemini(id: &'static str, name: &'static str, prices: [i64; 4]) -> Model {
    Model { provider: ProviderKind::Google, context_window: 1_048_576, max_output: 65_536, ..claude(id, name, prices) }
}

/// Windows and prices as of November 2026.
///
/// Anthropic: from its model pages (platform.claude.com/docs/…/models). OpenAI: names, windows and prices of GPT-6.2 and 6.1
/// from developers.openai.com/api/docs/models; what the cache costs from the price lists of LiteLLM and TokenMeter, which
/// quote OpenAI's, all looked up on 25 November 2026. For GPT-6 Luna only input and output were found; its cache is taken for
/// a tenth of the input and writing to it for a quarter more. Google: windows from ai.google.dev/gemini-api/docs/models,
/// prices of Gemini 4 and 3.8 from lists that quote ai.google.dev/gemini-api/docs/pricing, looked up on the same day; Gemini
/// 3.8 Flash is half as dear until the end of 2026 and stands here at its full price, so that limits err on the safe side.
static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
    vec![
        claude("claude-opus-5-5", "Claude Opus 5.5", [4_000_000, 20_000_000, 200_000, 5_000_000]),
        claude("claude-sonnet-5-5", "Claude Sonnet 5.5", [2_000_000, 10_000_000, 200_000, 2_500_000]),
        claude("claude-fable-5-1", "Claude Fable 5.1", [10_000_000, 50_000_000, 1_000_000, 12_500_000]),
        Model {
            context_window: 200_000,
            max_output: 64_000,
            reasoning: Reasoning::Budget,
            ..claude("claude-haiku-4-5", "Claude Haiku 4.5", [1_000_000, 5_000_000, 100_000, 1_250_000])
        },
        gpt("gpt-6.2-sol", "GPT-6.2 Sol", [2_000_000, 10_000_000, 100_000, 2_500_000]),
        gpt("gpt-6.2-astra", "GPT-6.2 Astra", [8_000_000, 40_000_000, 400_000, 10_000_000]),
        gpt("gpt-6.1-terra", "GPT-6.1 Terra", [1_000_000, 5_000_000, 50_000, 1_250_000]),
        gpt("gpt-6-luna", "GPT-6 Luna", [100_000, 500_000, 10_000, 125_000]),
        gemini("gemini-4-neon", "Gemini 4 Neon", [3_000_000, 15_000_000, 150_000, 3_000_000]),
        gemini("gemini-4-hydrogen", "Gemini 4 Hydrogen", [1_500_000, 7_500_000, 75_000, 1_500_000]),
        gemini("gemini-3.8-flash", "Gemini 3.8 Flash", [1_500_000, 7_500_000, 150_000, 1_500_000]),
        Model {
            context_window: 200_000,
            max_output: 32_000,
            simulated: true,
            ..claude(SIMULATED, "Simulated (no key)", [0, 0, 0, 0])
        },
    ]
});

/// The model for a team that has a key and chose none.
pub const DEFAULT: &str = "claude-opus-5-5";

/// Every model, the recommended one first.
pub fn all() -> &'static [Model] {
    &MODELS
}

/// The first of a provider's models that are offered.
pub fn default_of(provider: ProviderKind) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.provider == provider && !model.simulated)
}

/// A name without the provider's in front, such as `compatible/qwen3`, and the provider if it stood there.
fn split(name: &str) -> (Option<ProviderKind>, &str) {
    let named = name.split_once('/').and_then(|(provider, rest)| Some((provider.parse::<ProviderKind>().ok()?, rest)));
    match named {
        Some((provider, rest)) if provider.is_called() && !rest.is_empty() => (Some(provider), rest),
        _ => (None, name),
    }
}

/// Which provider has the model that a card names.
///
/// A name may say it in front (`openai/…`, `google/…`, `anthropic/…`, `compatible/…`): what follows is the provider's own
/// name, which may have a `/` itself. Otherwise it is that of the table, then that whose models are named so, and for any
/// other name Anthropic, behind whose base URL another server may be.
pub fn provider_of(name: &str) -> ProviderKind {
    if let (Some(provider), _) = split(name) {
        return provider;
    }
    if let Some(model) = find(name) {
        return model.provider;
    }
    let plain = name.to_lowercase();
    let mut letters = plain.bytes();
    let openai = ["gpt-", "chatgpt-", "codex-"].iter().any(|start| plain.starts_with(start))
        || letters.next() == Some(b'o') && letters.next().is_some_and(|byte| byte.is_ascii_digit());
    if openai {
        ProviderKind::Openai
    } else if plain.starts_with("gemini-") {
        ProviderKind::Google
    } else {
        ProviderKind::Anthropic
    }
}

/// The provider's own name for the model that a card names.
pub fn wire_name(name: &str) -> &str {
    split(name).1
}

/// How a card names a model of a server, in a way that means no other.
pub fn card_name(provider: ProviderKind, wire_name: &str) -> String {
    match provider_of(wire_name) == provider && split(wire_name).0.is_none() {
        true => wire_name.to_owned(),
        false => format!("{provider}/{wire_name}"),
    }
}

/// What is known of a model. A dated name, such as `claude-haiku-4-5-20251001`, means the model without the date, and so
/// does `…-latest`. Of a compatible server's models nothing is known, whatever they are called.
pub fn find(name: &str) -> Option<&'static Model> {
    let (provider, id) = split(name);
    known(provider, id)
}

fn known(provider: Option<ProviderKind>, id: &str) -> Option<&'static Model> {
    let is_date = |text: &str| {
        let digits: Vec<&str> = text.split('-').collect();
        matches!(digits.as_slice(), [all] if all.len() == 8)
            || matches!(digits.as_slice(), [year, month, day] if year.len() == 4 && month.len() == 2 && day.len() == 2)
    };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && is_date(text);
    MODELS.iter().filter(|model| provider.is_none_or(|provider| provider == model.provider)).find(|model| {
        id.strip_prefix(&*model.id).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix('-').is_some_and(|end| end == "latest" || number(end))
        })
    })
}

/// What a model costs: what an admin says of it, else what the table above says; nothing when nobody knows. `asked` is how a
/// card names it, `answered` how the provider does, which may say more; what is known of the latter goes first. The simulated
/// model is free, unless an admin names it in full.
pub fn price_of(rows: &[PriceRow], provider: ProviderKind, asked: &str, answered: &str) -> Option<Price> {
    let asked = wire_name(asked);
    if asked == SIMULATED {
        let named = rows.iter().find(|row| row.provider == provider && row.pattern == SIMULATED);
        return Some(named.map_or(Price::FREE, |row| row.price));
    }
    let names = [wire_or_own(provider, answered), asked];
    let said = names.iter().find_map(|name| row_for(rows, provider, name)).map(|row| row.price);
    said.or_else(|| names.iter().find_map(|name| known(Some(provider), name)).map(Model::price))
}

/// A provider's own name, however it was given.
fn wire_or_own(provider: ProviderKind, name: &str) -> &str {
    match split(name) {
        (Some(named), rest) if named == provider => rest,
        _ => name,
    }
}

/// What to assume of a model: of an unknown one, a cautious window and no price.
pub fn assume(name: &str) -> Model {
    if let Some(model) = find(name) {
        return model.clone();
    }
    let provider = provider_of(name);
    let unknown = Model {
        name: "another model".into(),
        provider,
        context_window: 128_000,
        max_output: 16_000,
        reasoning: Reasoning::Budget,
        ..claude("", "", [0, 0, 0, 0])
    };
    let plain = wire_name(name).to_lowercase();
    match provider {
        ProviderKind::Openai if ["gpt-3", "gpt-4", "chatgpt"].iter().any(|start| plain.starts_with(start)) => {
            Model { reasoning: Reasoning::None, ..unknown }
        }
        ProviderKind::Openai | ProviderKind::Google => Model { reasoning: Reasoning::Adaptive, ..unknown },
        // A server in the house often has far less room than the model could have.
        ProviderKind::Compatible => {
            Model { context_window: 32_000, max_output: 8_000, reasoning: Reasoning::None, ..unknown }
        }
        ProviderKind::Anthropic | ProviderKind::ClaudeSubscription => unknown,
    }
}

/// A model of a compatible server as it is offered, under its own name.
pub fn listed(wire_name: &str, context_window: Option<i64>) -> Model {
    let id = card_name(ProviderKind::Compatible, wire_name);
    let assumed = assume(&id);
    Model {
        name: wire_name.to_owned().into(),
        id: id.into(),
        context_window: context_window.unwrap_or(assumed.context_window),
        ..assumed
    }
}

impl Model {
    /// What a call costs, in micro-dollars, rounded up.
    pub fn cost_micros(&self, usage: &Usage) -> i64 {
        self.price().cost_micros(usage)
    }

    /// Its prices.
    pub const fn price(&self) -> Price {
        Price {
            input: self.input_price,
            output: self.output_price,
            cache_read: self.cache_read_price,
            cache_write: self.cache_write_price,
        }
    }

    /// The same model at these prices.
    #[must_use]
    pub fn priced(self, price: Price) -> Self {
        Self {
            input_price: price.input,
            output_price: price.output,
            cache_read_price: price.cache_read,
            cache_write_price: price.cache_write,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_name_means_the_same_model() {
        for (dated, id) in [
            ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
            ("claude-opus-5-5-latest", "claude-opus-5-5"),
            ("gpt-6.2-sol-2026-11-02", "gpt-6.2-sol"),
        ] {
            assert_eq!(find(dated).map(|model| &*model.id), Some(id));
        }
        for other in ["claude-opus-5-5-turbo", "claude-opus-5-5-1", "claude-opus-5-5-", "gpt", ""] {
            assert!(find(other).is_none(), "{other}");
        }
        assert_eq!(assume("llama").context_window, 128_000);
    }

    #[test]
    fn a_name_means_one_provider() {
        use ProviderKind::*;
        for (name, provider, wire) in [
            ("claude-opus-5-5", Anthropic, "claude-opus-5-5"),
            ("gpt-6.2-sol", Openai, "gpt-6.2-sol"),
            ("gpt-9", Openai, "gpt-9"),
            ("o4-mini", Openai, "o4-mini"),
            ("gemini-9", Google, "gemini-9"),
            ("openai/gpt-9", Openai, "gpt-9"),
            ("google/gemma-4", Google, "gemma-4"),
            ("compatible/gpt-6.2-sol", Compatible, "gpt-6.2-sol"),
            ("compatible/openai/gpt-6.2-sol", Compatible, "openai/gpt-6.2-sol"),
            ("compatible/qwen3:30b", Compatible, "qwen3:30b"),
            ("anthropic/openai/gpt-9", Anthropic, "openai/gpt-9"),
            ("claudeSubscription/x", Anthropic, "claudeSubscription/x"),
            ("compatible/", Anthropic, "compatible/"),
            ("deepseek-chat", Anthropic, "deepseek-chat"),
            ("olmo", Anthropic, "olmo"),
        ] {
            assert_eq!((provider_of(name), wire_name(name)), (provider, wire), "{name}");
        }
        for name in ["gpt-6.2-sol", "openai/gpt-6.2-sol", "qwen3", "compatible/x"] {
            let card = card_name(Compatible, name);
            assert_eq!((provider_of(&card), wire_name(&card)), (Compatible, name));
        }
        assert_eq!(card_name(Openai, "gpt-9"), "gpt-9");
    }

    #[test]
    fn of_a_servers_own_models_nothing_is_assumed() {
        let listed = listed("gpt-6.2-sol", None);
        assert_eq!((&*listed.id, &*listed.name), ("compatible/gpt-6.2-sol", "gpt-6.2-sol"));
        assert_eq!((listed.input_price, listed.context_window), (0, 32_000));
        assert_eq!(super::listed("x", Some(131_072)).context_window, 131_072);
        assert_eq!(assume("gpt-4o").reasoning, Reasoning::None);
        assert_eq!(assume("gpt-9").reasoning, Reasoning::Adaptive);
    }

    #[test]
    fn what_an_admin_says_goes_before_the_table_and_nothing_is_made_up() {
        let row = |provider, pattern: &str, input| PriceRow {
            id: guildhall_types::PriceId::new(),
            provider,
            pattern: pattern.to_owned(),
            price: Price { input, ..Price::FREE },
            changed_by: None,
            changed_at: guildhall_types::DateTime::UNIX_EPOCH,
        };
        use ProviderKind::{Anthropic, Compatible, Openai};
        let rows = [row(Anthropic, "claude-opus-5-5", 1), row(Compatible, "openai/gpt-*", 2), row(Anthropic, "*", 3)];
        let input =
            |provider, asked: &str, answered: &str| price_of(&rows, provider, asked, answered).map(|price| price.input);
        let dated = "claude-opus-5-5-20261101";
        assert_eq!(input(Anthropic, "claude-opus-5-5", "claude-opus-5-5"), Some(1));
        assert_eq!(input(Anthropic, dated, dated), Some(3), "a pattern means what it says");
        assert_eq!(input(Compatible, "compatible/openai/gpt-9", "openai/gpt-9"), Some(2));
        assert_eq!(input(Compatible, "compatible/qwen3", "qwen3"), None);
        assert_eq!(input(Compatible, "compatible/gpt-6.2-sol", "gpt-6.2-sol"), None, "another's model of that name");
        assert_eq!(input(Openai, "gpt-6.2-sol", "gpt-6.2-sol-2026-11-02"), Some(2_000_000));
        assert_eq!(input(Openai, "gpt-6.2-sol", "something"), Some(2_000_000), "of what was asked for");
        assert_eq!(input(Openai, "gpt-9", "gpt-9"), None);
        assert_eq!(input(Anthropic, SIMULATED, SIMULATED), Some(0), "a star does not mean the simulated model");
        assert_eq!(
            price_of(&[row(Anthropic, SIMULATED, 9)], Anthropic, SIMULATED, SIMULATED).map(|price| price.input),
            Some(9)
        );
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
