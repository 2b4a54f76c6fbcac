//! What a run's calls cost, and the money that is set aside for each before it is made.

use chrono::Duration;
use guildhall_llm::{Request, models};
use guildhall_types::budget::Need;
use guildhall_types::chat::Usage;
use guildhall_types::run::RunEvent;

use crate::caller::{Caller, NoAnswer, unless_cancelled};
use crate::{Call, Ended, Leave};

/// With less than this for its answer, a call is not worth making.
const LEAST_OUTPUT: i64 = 4_096;
/// How long a call waits before it asks again for money that others' calls under way may leave.
const HELD: std::time::Duration = std::time::Duration::from_secs(1);
/// How often it asks before the run is put off, and for how long.
const ASKED: u32 = 60;
const PUT_OFF: Duration = Duration::minutes(1);

impl Caller<'_> {
    /// Has money set aside for the most that a call can cost. Returns how many tokens its answer may have, or nothing when
    /// others' calls under way have it all for now.
    pub(crate) async fn leave(&mut self, request: &Request<'_>, size: i64) -> Result<Option<i64>, NoAnswer> {
        // We only estimate what the provider counts, so an eighth more is set aside.
        let input = size + size / 8 + 256;
        let least_output = request.max_tokens.min(LEAST_OUTPUT);
        let need = Need { input, output: request.max_tokens, least_output };
        match self.journal.reserve(&need).await? {
            Leave::Go { output, prices } => {
                self.prices = prices;
                if !self.unpriced_told && self.price(&self.model_id).is_none() {
                    self.unpriced_told = true;
                    let text = format!(
                        "No price is known for {}: its tokens are counted, and what they cost is not. An admin can say what it costs under Settings.",
                        models::wire_name(&self.model_id)
                    );
                    self.journal.happened(vec![RunEvent::Note { text }]).await?;
                }
                Ok(Some(output))
            }
            Leave::Held { .. } if self.held < ASKED => {
                self.held += 1;
                Ok(None)
            }
            Leave::Held { reason } => {
                let until = self.clock.now() + PUT_OFF;
                Err(Ended::Parked { until, reason, budget: None, out_since: None }.into())
            }
            Leave::Parked { until, reason, budget } => {
                Err(Ended::Parked { until, reason, budget: Some(budget), out_since: None }.into())
            }
        }
    }

    /// Lets a moment pass in which others' calls may end.
    pub(crate) async fn let_others_end(&mut self) -> Result<(), Ended> {
        let before = self.clock.awake();
        let done = unless_cancelled(&self.cancel, tokio::time::sleep(HELD)).await;
        self.waited += self.clock.awake().saturating_sub(before);
        done
    }

    /// The bill for a call that was answered.
    pub(crate) fn bill(&self, turn: Option<i64>, model: &str, usage: Usage) -> Call {
        let model = if model.is_empty() { models::wire_name(&self.model_id) } else { model };
        let price = self.price(model);
        let cost_micros = price.map_or(0, |price| price.cost_micros(&usage));
        Call { turn, model: model.to_owned(), usage, cost_micros, priced: price.is_some() }
    }

    fn price(&self, answered: &str) -> Option<guildhall_types::price::Price> {
        models::price_of(&self.prices, self.endpoint.provider, &self.model_id, answered)
    }
}
