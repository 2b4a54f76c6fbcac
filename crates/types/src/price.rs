//! What models cost, where an admin says so.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chat::Usage;
use crate::member::ProviderKind;
use crate::{DateTime, MemberId, PriceId};

/// Characters of a pattern at most.
pub const PATTERN: usize = 100;
/// Micro-dollars for a million tokens at most.
pub const MOST: i64 = 10_000_000_000;

/// Prices in micro-dollars per million tokens (which is dollars per million times a million).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// Input that is neither read from nor written to the cache.
    pub input: i64,
    /// Output.
    pub output: i64,
    /// Input that is read from the cache.
    pub cache_read: i64,
    /// Input that is written to the cache.
    pub cache_write: i64,
}

impl Price {
    /// Nothing costs anything.
    pub const FREE: Self = Self { input: 0, output: 0, cache_read: 0, cache_write: 0 };

    /// What a call costs, in micro-dollars, rounded up.
    pub fn cost_micros(&self, usage: &Usage) -> i64 {
        micros(&[
            (usage.input_tokens, self.input),
            (usage.output_tokens, self.output),
            (usage.cache_read_tokens, self.cache_read),
            (usage.cache_write_tokens, self.cache_write),
        ])
    }

    /// The most that a call of so many tokens can cost, wherever its input comes from, in micro-dollars, rounded up.
    pub fn most_micros(&self, input: i64, output: i64) -> i64 {
        micros(&[(input, self.dearest_input()), (output, self.output)])
    }

    /// How many tokens of output a call with so much input may have, so that it cannot cost more than `left` micro-dollars.
    pub fn output_within(&self, left: i64, input: i64) -> i64 {
        let rest = i128::from(left) * 1_000_000 - i128::from(input) * i128::from(self.dearest_input());
        match self.output {
            _ if rest < 0 => 0,
            0 => i64::MAX,
            price => i64::try_from(rest / i128::from(price)).unwrap_or(i64::MAX),
        }
    }

    fn dearest_input(&self) -> i64 {
        self.input.max(self.cache_read).max(self.cache_write)
    }
}

fn micros(parts: &[(i64, i64)]) -> i64 {
    let sum: i128 = parts.iter().map(|(tokens, price)| i128::from(*tokens) * i128::from(*price)).sum();
    i64::try_from((sum + 999_999) / 1_000_000).unwrap_or(i64::MAX)
}

/// What an admin says that models cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct PriceRow {
    /// The row's id.
    pub id: PriceId,
    /// Whose models.
    pub provider: ProviderKind,
    /// Their names as the provider says them; a `*` stands for anything.
    pub pattern: String,
    /// What they cost.
    #[cfg_attr(feature = "sqlx", sqlx(flatten))]
    #[serde(flatten)]
    pub price: Price,
    /// Who said so.
    pub changed_by: Option<MemberId>,
    /// When.
    pub changed_at: DateTime,
}

/// The row that says what a model costs: of those whose pattern fits, the one that says most of its name.
pub fn row_for<'a>(rows: &'a [PriceRow], provider: ProviderKind, model: &str) -> Option<&'a PriceRow> {
    let said = |row: &&PriceRow| (row.pattern.bytes().filter(|byte| *byte != b'*').count(), !row.pattern.contains('*'));
    rows.iter().filter(|row| row.provider == provider && fits(&row.pattern, model)).max_by_key(said)
}

/// Whether a name fits a pattern in which `*` stands for anything.
pub fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, whether) in [
            ("gpt-9", "gpt-9", true),
            ("gpt-9", "gpt-9-mini", false),
            ("gpt-9*", "gpt-9-mini", true),
            ("*", "", true),
            ("*mini", "gpt-9-mini", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*a", "a", false),
            ("a*bc*c", "abc", false),
            ("", "x", false),
        ] {
            assert_eq!(fits(pattern, name), whether, "{pattern} {name}");
        }
    }

    #[test]
    fn the_row_that_says_most_of_the_name_counts() {
        let row = |pattern: &str, input| PriceRow {
            id: PriceId::new(),
            provider: ProviderKind::Openai,
            pattern: pattern.to_owned(),
            price: Price { input, ..Price::FREE },
            changed_by: None,
            changed_at: DateTime::UNIX_EPOCH,
        };
        let rows = [row("*", 1), row("gpt-9*", 2), row("gpt-9", 3), row("gpt-9-*", 4)];
        for (model, input) in [("gpt-9", 3), ("gpt-9-mini", 4), ("gpt-91", 2), ("o3", 1)] {
            assert_eq!(row_for(&rows, ProviderKind::Openai, model).map(|row| row.price.input), Some(input), "{model}");
        }
        assert_eq!(row_for(&rows, ProviderKind::Google, "gpt-9"), None);
    }

    #[test]
    fn what_fits_a_rest_never_costs_more_than_it() {
        let price = Price { input: 3_000_001, output: 15_000_007, cache_read: 300_000, cache_write: 3_750_001 };
        let mut seed: u64 = 7;
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (left, input) = ((seed >> 40) as i64 % 5_000_000, (seed >> 20) as i64 % 300_000);
            let output = price.output_within(left, input);
            if output > 0 {
                assert!(price.most_micros(input, output) <= left);
                assert!(price.most_micros(input, output + 2) > left, "no more is left over than the rounding");
            } else {
                assert!(price.most_micros(input, 1) > left);
            }
        }
        assert_eq!(Price::FREE.output_within(0, 1_000), i64::MAX);
        assert_eq!(Price::FREE.output_within(-1, 0), 0);
    }
}
