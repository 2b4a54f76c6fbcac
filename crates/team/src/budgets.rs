//! Budgets as members see them, and who changes which.

use guildhall_store::{BUDGETS, BudgetChange};
use guildhall_types::budget::{Budgets, MOST, MonthStanding};
use guildhall_types::feature::Feature;
use guildhall_types::limits::RunLimits;
use guildhall_types::member::ChangeRefused;
use guildhall_types::run::Run;
use guildhall_types::{FeatureId, MemberId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{By, Team, TeamError};

/// Names the limits of one run among the settings.
pub const RUN_LIMITS: &str = "run_limits";

/// The budgets, in micro-dollars.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetsView {
    /// What the calls of each member may cost in a month, where nothing else is said; nothing when there is no such budget.
    pub month_micros: Option<i64>,
    /// What a run may cost whose card says nothing else.
    pub run_micros: i64,
    /// How the month stands: one's own, and for admins everybody's. Months are calendar months in UTC.
    pub items: Vec<MonthStanding>,
}

pub(crate) fn sum(field: &'static str, micros: Option<i64>) -> Result<Option<i64>, TeamError> {
    match micros {
        Some(micros) if !(1..=MOST).contains(&micros) => {
            Err(TeamError::invalid(field, format!("give micro-dollars from 1 to {MOST}, or nothing for no budget")))
        }
        fine => Ok(fine),
    }
}

impl Team {
    /// The limits of one run as they are set now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run_limits(&self) -> Result<RunLimits, TeamError> {
        Ok(self.store.setting(RUN_LIMITS).await?.unwrap_or_default())
    }

    /// The team's budgets as they are set now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn team_budgets(&self) -> Result<Budgets, TeamError> {
        Ok(self.store.setting(BUDGETS).await?.unwrap_or_default())
    }

    /// The budgets as the viewer may see them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn budgets(&self, by: By<'_>) -> Result<BudgetsView, TeamError> {
        let team = self.team_budgets().await?;
        let of = (!by.administers).then_some(by.member.id);
        Ok(BudgetsView {
            month_micros: team.month_micros,
            run_micros: self.run_limits().await?.max_cost_micros,
            items: self.store.months(of, team).await?,
        })
    }

    /// Sets the budget that every member has in a month who was given no other.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a sum that cannot be.
    pub async fn set_team_budgets(&self, month_micros: Option<i64>) -> Result<(), TeamError> {
        let month_micros = sum("monthMicros", month_micros)?;
        Ok(self.store.put_team_budgets(Budgets { month_micros }).await?)
    }

    /// Gives a member another budget than the team's, or the team's again.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a sum that cannot be; the store's error when there is no such member.
    pub async fn give_budget(&self, member: MemberId, month_micros: Option<i64>) -> Result<MonthStanding, TeamError> {
        let micros = sum("monthMicros", month_micros)?;
        self.store.change_budget(member, BudgetChange::Given(micros)).await?;
        self.month_of(member).await
    }

    /// Sets a member's own budget; it holds where it is lower than what was given.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a sum that cannot be.
    pub async fn set_own_budget(
        &self,
        member: MemberId,
        month_micros: Option<i64>,
    ) -> Result<MonthStanding, TeamError> {
        let micros = sum("monthMicros", month_micros)?;
        self.store.change_budget(member, BudgetChange::Own(micros)).await?;
        self.month_of(member).await
    }

    async fn month_of(&self, member: MemberId) -> Result<MonthStanding, TeamError> {
        let team = self.team_budgets().await?;
        self.store.months(Some(member), team).await?.pop().ok_or(TeamError::NotFound { what: "member" })
    }

    /// Lets the run of a card cost more than its budget: its member may, and admins.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a sum that cannot be; the store's error for others, or when the card has no run.
    pub async fn allow_cost(&self, by: By<'_>, id: FeatureId, micros: i64) -> Result<(Feature, Run), TeamError> {
        let micros = sum("micros", Some(micros))?.unwrap_or_default();
        let card = self.store.feature(id).await?.ok_or(TeamError::NotFound { what: "feature" })?;
        let run = match card.card.run_id {
            Some(run) => self.store.run(run).await?,
            None => None,
        };
        let run = run.ok_or(TeamError::NotFound { what: "run of this feature" })?;
        if run.member_id != by.member.id && !by.administers {
            return Err(guildhall_store::StoreError::Refused(ChangeRefused::MissingRight).into());
        }
        Ok(self.store.allow_cost(id, micros).await?)
    }
}
