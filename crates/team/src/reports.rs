//! Morning reports: made when one is due, kept, and sent by mail to who wants that.

use std::collections::{BTreeSet, HashMap, HashSet};

use guildhall_store::{NewReport, Night, UntoldRun};
use guildhall_types::auto::{self, Card, OrderState, Place, Reason};
use guildhall_types::feature::{FeatureStatus, Problem, Stage};
use guildhall_types::limits::Limits;
use guildhall_types::mail::MailKind;
use guildhall_types::member::Member;
use guildhall_types::report::{
    Due, NotBegun, NotBegunCard, Outcome, ReportBody, ReportCard, ReportSettings, Shift, SpanKind, Took,
};
use guildhall_types::run::RunStatus;
use guildhall_types::window::{shown_at, time_of_day};
use guildhall_types::{DateTime, FeatureId, MemberId, ProjectId, ReportId};

use crate::mail::{Draft, Words};
use crate::night::order_of;
use crate::{Team, TeamError, caught};

/// Cards that a mail names at most; the page shows them all.
const NAMED: usize = 12;
/// Cards that wait for the same and are named in a report; all of them are counted.
const NAMED_TOGETHER: usize = 20;

impl Team {
    /// How a member wants to be told.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn report_settings(&self, member: MemberId) -> Result<ReportSettings, TeamError> {
        Ok(self.store.report_settings(member).await?.0)
    }

    /// Sets how a member wants to be told.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a time that is none; [`TeamError::Conflict`] `mail-off` where the server sends no mail.
    pub async fn set_report_settings(&self, member: MemberId, settings: &ReportSettings) -> Result<(), TeamError> {
        time_of_day(&settings.morning)
            .map_err(|_| TeamError::invalid("morning", "give a time of the day such as 07:00"))?;
        if settings.mail {
            self.mailer()?;
        }
        Ok(self.store.set_report_settings(member, settings).await?)
    }

    /// Makes the reports that are due. `lacking` are cards that auto mode passes over, because something that they need is
    /// not there. Any number of nodes may do so at once. Returns how many this one made.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn make_due_reports(&self, lacking: &HashSet<FeatureId>) -> Result<usize, TeamError> {
        let mut members: BTreeSet<MemberId> = self.store.members_to_tell().await?.into_iter().collect();
        // Whoever has an order that is on is told of a night in which nothing could begin, too.
        members.extend(self.store.foretold().await?.into_iter().map(|order| order.member_id));
        let (mut night, mut made) = (None, 0);
        for id in members {
            let Some(member) = self.store.member(id).await? else { continue };
            // One whose report cannot be made keeps no other from it.
            match caught(self.make_report(&member, &mut night, lacking)).await {
                Some(Ok(done)) => made += usize::from(done),
                Some(Err(TeamError::Store(error))) => return Err(error.into()),
                Some(Err(error)) => {
                    tracing::error!(member = %id, error = &error as &dyn std::error::Error, "a morning report could not be made");
                }
                None => tracing::error!(member = %id, "the making of a morning report panicked"),
            }
        }
        Ok(made)
    }

    /// What decides what starts next, read once in a look, and only when it is needed.
    async fn read_night<'a>(&self, night: &'a mut Option<(Night, Limits)>) -> Result<&'a (Night, Limits), TeamError> {
        let read = match night.take() {
            Some(read) => read,
            None => (self.store.night().await?, self.limits().await?),
        };
        Ok(night.insert(read))
    }

    async fn make_report(
        &self,
        member: &Member,
        night: &mut Option<(Night, Limits)>,
        lacking: &HashSet<FeatureId>,
    ) -> Result<bool, TeamError> {
        let now = self.clock.now();
        let (settings, told_until) = self.store.report_settings(member.id).await?;
        let runs = self.store.untold_runs(member.id).await?;
        let orders = self.store.orders_of(member.id).await?;
        let rests = |run: &UntoldRun| put_off(run, now).is_some_and(SpanKind::rests);
        let shift = Shift {
            told_until,
            since: runs.iter().map(|run| run.created_at).min(),
            ended: runs.iter().filter(|run| !run.status.is_live()).filter_map(|run| run.ended_at).max(),
            at_work: runs.iter().any(|run| run.status.is_live() && !rests(run)),
            // It matters only where something has ended.
            may_start: !runs.is_empty() && may_start(self.read_night(night).await?, member.id, lacking, now),
            orders: orders.iter().map(|(order, _)| order.clone()).collect(),
            zone: member.time_zone.clone(),
            morning: settings.morning.clone(),
        };
        let Some(due) = shift.due(now) else { return Ok(false) };
        let not_begun = self.not_begun(member.id, self.read_night(night).await?, now).await?;
        if runs.is_empty() && not_begun.is_empty() {
            // The night is over all the same: what comes later belongs to the next.
            self.store.nothing_to_tell(member.id, told_until, now).await?;
            return Ok(false);
        }
        let (cards, others) = self.cards_of(member.id, &runs, due, now).await?;
        let projects: HashSet<ProjectId> = cards.iter().map(|card| card.project_id).collect();
        let told = |project| projects.contains(&project) || not_begun.iter().any(|group| group.project_id == project);
        let forecasts = orders
            .iter()
            .filter_map(|(order, forecast)| Some((order.project_id, (*forecast)?)))
            // One that was made before the last report foretold another night.
            .filter(|(_, forecast)| forecast.at <= now && told_until.is_none_or(|told| forecast.at > told))
            .filter(|(project, _)| told(*project))
            .collect();
        let paused = orders.iter().filter(|(order, _)| order.state == OrderState::Paused);
        let pauses = paused.filter_map(|(order, _)| order.pause.clone()).collect();
        let body = ReportBody::of(cards, others, forecasts, pauses, not_begun);
        let new = NewReport {
            id: ReportId::new(),
            member: member.id,
            cause: due.cause,
            from: due.from,
            until: now,
            told_until,
            body,
            runs,
        };
        let draft = self.report_mail(member, &settings, &new)?;
        let report = &new;
        let made = self.posting(draft, |store| async move { store.put_report(report).await }).await?;
        if made {
            tracing::info!(member = %member.id, report = %new.id, cause = %due.cause, "a morning report was made");
        }
        Ok(made)
    }

    /// The member's cards that auto mode did not begin, by what they wait for; what stays until somebody does something comes
    /// first.
    async fn not_begun(
        &self,
        member: MemberId,
        (night, limits): &(Night, Limits),
        now: DateTime,
    ) -> Result<Vec<NotBegun>, TeamError> {
        // One that was stopped has a run, and is told with it.
        let mut cards = self.seen_cards(night, |card| card.member == member && card.run.is_none()).await?;
        cards.sort_by_key(|card| (card.project, card.number));
        let live = night.live(now);
        let place =
            Place { live: &live, held: &night.held, limits: *limits, used_up: &night.used_up, strain: night.strain };
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut seen: HashMap<ProjectId, (&Card, i64)> = HashMap::new();
        for card in &cards {
            let Some(order) = order_of(night, card.project, member) else { continue };
            seen.entry(card.project).or_insert((card, 0)).1 += 1;
            let reason = match auto::of_past(order, card, now, &place) {
                None => continue,
                // Of a chain, what keeps all of it.
                Some(Reason::Dependencies { features }) => {
                    let roots = auto::roots(card.feature, &night.open);
                    Reason::Dependencies { features: if roots.is_empty() { features } else { roots } }
                }
                Some(reason) => reason,
            };
            Group::of(&mut groups, card.project, reason).cards.push(card);
        }
        for (project, (card, seen)) in seen {
            let more = night.backlog_of(project, member) - seen;
            let Some(order) = order_of(night, project, member).filter(|_| more > 0) else { continue };
            // Of those behind the ones that are looked at nothing is known but what would keep any card.
            let any = Card { open: Vec::new(), hindered: None, ..card.clone() };
            let Some(reason) = auto::of_past(order, &any, now, &place) else { continue };
            Group::of(&mut groups, project, reason).more += more;
        }
        groups.sort_by_key(|group| (!group.reason.stays(), std::cmp::Reverse(group.count()), group.project));
        let named = groups.iter().flat_map(|group| group.cards.iter().take(NAMED_TOGETHER));
        let titles = self.store.titles(&named.map(|card| card.feature).collect::<Vec<_>>()).await?;
        let mut words = self.words_for(member).await?;
        self.read_titles(&mut words, groups.iter().map(|group| &group.reason)).await?;
        let named = |card: &&Card| {
            let (number, title) = titles.get(&card.feature)?.clone();
            Some(NotBegunCard { feature_id: card.feature, number, title })
        };
        let told = |group: Group<'_>| NotBegun {
            project_id: group.project,
            count: group.count(),
            cards: group.cards.iter().take(NAMED_TOGETHER).filter_map(named).collect(),
            waiting: words.told(group.reason, member),
        };
        Ok(groups.into_iter().map(told).collect())
    }

    /// What came of these runs, and what those took whose cards have gone elsewhere since.
    async fn cards_of(
        &self,
        member: MemberId,
        runs: &[UntoldRun],
        due: Due,
        now: DateTime,
    ) -> Result<(Vec<ReportCard>, Took), TeamError> {
        let mut took: HashMap<_, Took> = HashMap::new();
        for span in self.store.untold_spans(member).await? {
            took.entry(span.run_id).or_default().add_span(span.kind, span.begins_at, span.ends_at, due.from, now);
        }
        let (mut cards, mut others) = (Vec::new(), Took::default());
        for run in runs {
            let took = took.remove(&run.id).unwrap_or_default();
            let took = Took { tokens: run.tokens, cost_micros: run.cost_micros, ..took };
            match outcome(run, now) {
                Some(outcome) => cards.push(card(run, outcome, took, now)),
                None => others += took,
            }
        }
        Ok((cards, others))
    }

    /// What sends this report to its member, if the member wants that. It stands in the page, too.
    fn report_mail(
        &self,
        member: &Member,
        settings: &ReportSettings,
        new: &NewReport,
    ) -> Result<Option<Draft>, TeamError> {
        if !settings.mail || !self.mail_is_on() || member.disabled_at.is_some() {
            return Ok(None);
        }
        let zone = member.time_zone.as_deref();
        let ReportBody { cards, total, forecasts, pauses, not_begun, .. } = &new.body;
        let mut lines: Vec<String> = cards.iter().take(NAMED).map(line).collect();
        if cards.len() > NAMED {
            lines.push(format!("And {} more, in the page.", cards.len() - NAMED));
        }
        lines.extend(not_begun.iter().take(NAMED).map(line_of_not_begun));
        if not_begun.len() > NAMED {
            lines.push("More that did not begin stands in the page.".to_owned());
        }
        let mut said = vec![format!(
            "From {} to {}: {} of work, {}, {} tokens.",
            shown_at(zone, new.from, new.until),
            shown_at(zone, new.until, new.until),
            time(total.worked_ms),
            dollars(total.cost_micros),
            total.tokens,
        )];
        if total.provider_ms > 0 {
            said.push(format!("Providers let it wait for {}.", time(total.provider_ms)));
        }
        said.extend(forecasts.iter().filter_map(|compared| {
            let estimate = compared.forecast.estimate?;
            Some(format!(
                "Expected were {} cards ({} to {}) for {}; it became {} for {}.",
                estimate.done.median,
                estimate.done.low,
                estimate.done.high,
                dollars(estimate.cost_micros.median),
                compared.done,
                dollars(compared.cost_micros),
            ))
        }));
        said.extend(pauses.iter().map(|pause| format!("Auto mode is paused. {} {}", pause.message, pause.hint)));
        let words = Words::Report {
            name: &member.name,
            headline: new.body.headline(),
            total: said.join(" "),
            cards: lines,
            link: self.mailer()?.link("/"),
        };
        self.letter(MailKind::Report, &member.email, &words).map(|draft| Some(draft.if_it_can_be()))
    }
}

/// Cards of a project that were not begun, and that wait for the same.
struct Group<'a> {
    project: ProjectId,
    reason: Reason,
    cards: Vec<&'a Card>,
    /// Those beside them that were not looked at.
    more: i64,
}

impl<'a> Group<'a> {
    /// The one of this reason.
    fn of(all: &mut Vec<Self>, project: ProjectId, reason: Reason) -> &mut Self {
        let place = all.iter().position(|group| group.project == project && group.reason == reason);
        let place = place.unwrap_or_else(|| {
            all.push(Self { project, reason, cards: Vec::new(), more: 0 });
            all.len() - 1
        });
        &mut all[place]
    }

    fn count(&self) -> i64 {
        self.cards.len() as i64 + self.more
    }
}

/// Whether an order of this member could start a card now, or could if there were a place.
fn may_start((night, limits): &(Night, Limits), member: MemberId, lacking: &HashSet<FeatureId>, now: DateTime) -> bool {
    let orders = night.open_orders(now).into_iter().filter(|order| order.open && order.member == member);
    let open: Vec<ProjectId> = orders.map(|order| order.project).collect();
    let room = night.held.get(&member).copied().unwrap_or(0) < limits.max_worktrees_per_member;
    let could_start = |card: &Card| {
        card.member == member
            && open.contains(&card.project)
            && card.open.is_empty()
            && !lacking.contains(&card.feature)
            && (room || card.run.is_some())
    };
    night.cards.iter().any(could_start)
}

/// For what a run is put off.
fn put_off(run: &UntoldRun, now: DateTime) -> Option<SpanKind> {
    run.parked_until.filter(|until| *until > now)?;
    Some(SpanKind::of_rest(run.parked_for, run.parked_reason.is_some()))
}

fn outcome(run: &UntoldRun, now: DateTime) -> Option<Outcome> {
    let plan_waits = run.card_status == FeatureStatus::InProgress && run.stage == Some(Stage::PlanApproval);
    let of = Outcome::of(run.status, run.card_status, plan_waits, run.error.is_some(), put_off(run, now));
    of.filter(|_| run.current)
}

fn card(run: &UntoldRun, outcome: Outcome, took: Took, now: DateTime) -> ReportCard {
    let problem = run.error.clone().filter(|_| outcome == Outcome::Failed);
    let hint = problem.as_ref().map(|problem| problem.hint.clone()).filter(|hint| !hint.is_empty());
    let parked = run.parked_until.filter(|until| run.status == RunStatus::Queued && *until > now);
    let changed_nothing = outcome.is_built() && run.files_changed == 0;
    ReportCard {
        feature_id: run.feature_id,
        run_id: run.id,
        project_id: run.project_id,
        number: run.number,
        title: run.title.clone(),
        outcome,
        changed_nothing,
        next: hint.or_else(|| outcome.next(changed_nothing).map(str::to_owned)),
        problem,
        reason: run.parked_reason.clone().filter(|_| parked.is_some()),
        until: parked,
        took,
    }
}

/// A card in a line of a mail.
fn line(card: &ReportCard) -> String {
    let what = match card.outcome {
        Outcome::Merged => "merged",
        Outcome::Verified => "verified",
        Outcome::WaitsForApproval => "waits for you",
        Outcome::WaitsForPlan => "its plan waits for you",
        Outcome::Failed => "failed",
        Outcome::Stopped => "stopped",
        Outcome::UnderWay => "under way",
        Outcome::WaitsForProvider => "waits for its provider",
        Outcome::WaitsForBudget => "waits for its budget",
        Outcome::WaitsForDependencies => "cannot begin from what it depends on",
        Outcome::WaitsForServer => "waits for the server",
        Outcome::Rests => "rests until the window opens",
    };
    let why = match &card.problem {
        Some(Problem { message, .. }) => format!(" {message}"),
        None if card.changed_nothing => " Changed nothing.".to_owned(),
        None => String::new(),
    };
    let next = card.next.as_ref().map(|next| format!(" {next}")).unwrap_or_default();
    format!("#{} {}: {what}.{why}{next}", card.number, card.title)
}

/// Cards that did not begin in a line of a mail.
fn line_of_not_begun(group: &NotBegun) -> String {
    let named: Vec<String> = group.cards.iter().take(NAMED).map(|card| format!("#{}", card.number)).collect();
    let why = &group.waiting.message;
    match (group.count, group.cards.first()) {
        (1, Some(card)) => format!("#{} {}: did not begin. {why}", card.number, card.title),
        (1, None) => format!("One more card did not begin. {why}"),
        (count, None) => format!("{count} more cards did not begin. {why}"),
        (count, Some(_)) => {
            let more = usize::try_from(count).unwrap_or_default().saturating_sub(named.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{count} cards did not begin ({}{more}). {why}", named.join(", "))
        }
    }
}

/// A span of milliseconds such as `2 h 5 min`.
fn time(ms: i64) -> String {
    let minutes = ms / 60_000;
    match (minutes / 60, minutes % 60) {
        (0, 0) => "less than a minute".to_owned(),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// Micro-dollars such as `$1.04`.
fn dollars(micros: i64) -> String {
    let cents = (micros + 5_000) / 10_000;
    format!("${}.{:02}", cents / 100, cents % 100)
}
