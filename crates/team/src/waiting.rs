//! Why something waits, in words: with the titles of cards, and moments by the clock of whoever is told.

use std::collections::{HashMap, HashSet};

use guildhall_types::auto::{Reason, Told};
use guildhall_types::window::shown_at;
use guildhall_types::{DateTime, FeatureId, MemberId};

use crate::{Team, TeamError};

/// Titles that one sentence names at most.
const NAMED: usize = 3;

/// What reasons are told with.
pub(crate) struct Words {
    viewer: MemberId,
    zone: Option<String>,
    pub(crate) now: DateTime,
    titles: HashMap<FeatureId, (i64, String)>,
}

impl Team {
    /// What reasons are told with: the viewer, the viewer's clock, and the titles that are known.
    pub(crate) async fn words_for(&self, viewer: MemberId) -> Result<Words, TeamError> {
        let zone = self.store.member(viewer).await?.and_then(|member| member.time_zone);
        Ok(Words { viewer, zone, now: self.clock.now(), titles: HashMap::new() })
    }

    /// Reads the titles that these reasons name.
    pub(crate) async fn read_titles(
        &self,
        words: &mut Words,
        reasons: impl IntoIterator<Item = &Reason>,
    ) -> Result<(), TeamError> {
        let named = reasons.into_iter().filter_map(|reason| match reason {
            Reason::Dependencies { features } => Some(features.iter().take(NAMED).copied()),
            _ => None,
        });
        let wanted: HashSet<FeatureId> = named.flatten().collect();
        let wanted: Vec<FeatureId> = wanted.into_iter().filter(|id| !words.titles.contains_key(id)).collect();
        words.titles.extend(self.store.titles(&wanted).await?);
        Ok(())
    }

    /// One reason in words; `of` is the member whose run or order it is.
    pub(crate) async fn told(&self, reason: Reason, of: MemberId, words: &mut Words) -> Result<Told, TeamError> {
        self.read_titles(words, [&reason]).await?;
        Ok(words.told(reason, of))
    }
}

impl Words {
    /// A reason in words; `of` is the member whose run or order it is. Its titles were read before.
    pub(crate) fn told(&self, reason: Reason, of: MemberId) -> Told {
        let whose = if of == self.viewer { "your" } else { "the member's" };
        let message = match &reason {
            Reason::Paused => "Auto mode is paused.".to_owned(),
            Reason::Plan => "Waits for somebody to look at its plan.".to_owned(),
            Reason::Window { until: Some(until) } => format!("The window opens at {}.", self.clock(*until)),
            Reason::Window { until: None } => "The window never opens; set it again.".to_owned(),
            Reason::Provider { until, why } => format!("Waits until {}. {why}", self.clock(*until)),
            Reason::Trouble { until, why } | Reason::Footing { until, why } => {
                format!("{why} It is tried again at {}.", self.clock(*until))
            }
            Reason::Budget { why, .. } => why.clone(),
            Reason::Dependencies { features } => {
                let title = |id| match self.titles.get(id) {
                    Some((number, title)) => format!("#{number} {title}"),
                    None => "a card that was deleted".to_owned(),
                };
                let titles: Vec<String> = features.iter().take(NAMED).map(title).collect();
                let more = features.len().saturating_sub(NAMED);
                let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
                let gone = features.iter().take(NAMED).any(|id| !self.titles.contains_key(id));
                let help = if gone { " Take that dependency off the card." } else { "" };
                format!("Waits for {}{rest}.{help}", titles.join(", "))
            }
            Reason::OrderLimit { limit } => format!("Auto mode's limit of {limit} at once is reached."),
            Reason::MemberLimit { limit } => format!("Waits for a place: {whose} limit of {limit} runs is reached."),
            Reason::TeamLimit { limit } => format!("Waits for a place: the team's limit of {limit} runs is reached."),
            Reason::WorktreeLimit { limit } => format!(
                "Waits for room: {whose} limit of {limit} worktrees is reached. Merge finished work, or take it back."
            ),
            Reason::Server { strain } => strain.why().to_owned(),
            Reason::Turn => "Waits for its turn.".to_owned(),
            Reason::Hindered { why } => sentence(why),
            Reason::BacklogEmpty => {
                let whose = if of == self.viewer { "yours" } else { "the member's" };
                format!("There are no cards of {whose} in the backlog. New ones are taken as they come.")
            }
        };
        Told { reason, message }
    }

    /// A moment by the viewer's clock.
    fn clock(&self, at: DateTime) -> String {
        shown_at(self.zone.as_deref(), at, self.now)
    }
}

fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}
