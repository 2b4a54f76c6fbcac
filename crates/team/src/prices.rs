//! What models cost: the built-in table, and what an admin says before it.

use guildhall_llm::models::{self, Model};
use guildhall_types::PriceId;
use guildhall_types::member::ProviderKind;
use guildhall_types::price::{MOST, PATTERN, Price, PriceRow};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Team, TeamError};

/// A row of the built-in table.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnownPrice {
    /// Whose model.
    pub provider: ProviderKind,
    /// Its name as the provider says it.
    pub model: String,
    /// The name that is shown.
    pub name: String,
    /// What it costs.
    #[serde(flatten)]
    pub price: Price,
}

/// What models cost, in micro-dollars per million tokens.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Prices {
    /// What an admin says. Of those that fit a model, the one that says most of its name counts.
    pub items: Vec<PriceRow>,
    /// What holds for models that none of those fits.
    pub built_in: Vec<KnownPrice>,
}

impl Team {
    /// What models cost.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn prices(&self) -> Result<Prices, TeamError> {
        let known = |model: &Model| KnownPrice {
            provider: model.provider,
            model: model.id.clone().into_owned(),
            name: model.name.clone().into_owned(),
            price: model.price(),
        };
        let built_in = models::all().iter().filter(|model| !model.simulated).map(known).collect();
        Ok(Prices { items: self.store.prices().await?, built_in })
    }

    /// Says what the models of a provider cost whose names fit a pattern. Holds for the next call, also of runs at work.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a pattern or a price that cannot be.
    pub async fn put_price(&self, provider: ProviderKind, pattern: &str, price: Price) -> Result<PriceRow, TeamError> {
        if !provider.is_called() {
            return Err(TeamError::invalid("provider", "no calls are made to this provider; choose another"));
        }
        let pattern = pattern.trim();
        let plain = !pattern.chars().any(|c| c.is_whitespace() || c.is_control());
        if pattern.is_empty() || pattern.chars().count() > PATTERN || !plain {
            let message =
                format!("give a model's name of up to {PATTERN} characters without spaces; a * stands for anything");
            return Err(TeamError::invalid("pattern", message));
        }
        for (field, value) in [
            ("input", price.input),
            ("output", price.output),
            ("cacheRead", price.cache_read),
            ("cacheWrite", price.cache_write),
        ] {
            if !(0..=MOST).contains(&value) {
                let message = format!("give micro-dollars per million tokens, from 0 to {MOST}");
                return Err(TeamError::invalid(field, message));
            }
        }
        Ok(self.store.put_price(provider, pattern, price).await?)
    }

    /// Takes back what was said of a pattern.
    ///
    /// # Errors
    /// [`TeamError::NotFound`].
    pub async fn delete_price(&self, id: PriceId) -> Result<(), TeamError> {
        match self.store.delete_price(id).await? {
            true => Ok(()),
            false => Err(TeamError::NotFound { what: "price" }),
        }
    }
}
