//! How the servers are and what members use, now and over time.

use std::collections::{BTreeMap, HashMap};

use chrono::Duration;
use guildhall_store::{KnownNode, MemberSample, UsageQuery};
use guildhall_types::reading::Reading;
use guildhall_types::sample::{Figures, Level, MemberFigures, NodeFigures, SampleRange, Span};
use guildhall_types::usage::UsageBy;
use guildhall_types::{DateTime, MemberId, NodeId, PlaceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Team, TeamError};

/// A server that has told nothing for so long is silent.
const SILENT: Duration = Duration::minutes(3);
/// How old a sample may be that stands for now: a minute is kept when it is over.
const NOW: Duration = Duration::minutes(3);
/// Members that are read at once.
const PAGE: i64 = 500;

/// Whose samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SamplesOf {
    /// The servers'.
    Nodes,
    /// The members'.
    Members,
}

/// A server of the team.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeNow {
    /// Its data folder.
    pub id: PlaceId,
    /// The process.
    pub node: NodeId,
    /// What the machine calls itself.
    pub name: String,
    /// The version that runs there.
    pub version: String,
    /// When the process started.
    pub started_at: DateTime,
    /// Whether nothing was heard of it for three minutes.
    pub silent: bool,
    /// How it is, or was when it last told.
    pub reading: Reading,
}

/// What a member uses.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberNow {
    /// Who.
    pub member_id: MemberId,
    /// The member's name.
    pub name: String,
    /// Bytes of memory of the member's commands, on all servers; absent where nothing counts it.
    pub memory: Option<f64>,
    /// Processes and threads of the member's commands; absent where nothing counts them.
    pub processes: Option<f64>,
    /// Processors that the member's commands kept busy.
    pub processors: f64,
    /// Bytes on the disk: worktrees with all that was built in them, and what tools keep for the member.
    pub disk: f64,
    /// Worktrees on the disk.
    pub worktrees: f64,
    /// Runs at work.
    pub agents: f64,
    /// Tokens of all kinds in the last 24 hours.
    pub tokens: i64,
    /// What they cost, in micro-dollars.
    pub cost_micros: i64,
}

/// A server over time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NodeSeries {
    /// Its data folder.
    pub id: PlaceId,
    /// What the machine calls itself.
    pub name: String,
    /// Its points in order; where there is none, it did not run.
    pub points: Vec<NodePoint>,
}

/// A server at one time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NodePoint {
    /// When the point begins.
    pub at: DateTime,
    /// How it was.
    #[serde(flatten)]
    pub figures: NodeFigures,
}

/// A member over time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberSeries {
    /// Who.
    pub member_id: MemberId,
    /// The member's name.
    pub name: String,
    /// The points in order; where there is none, nothing was used.
    pub points: Vec<MemberPoint>,
}

/// A member at one time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MemberPoint {
    /// When the point begins.
    pub at: DateTime,
    /// What was used, on all servers.
    #[serde(flatten)]
    pub figures: MemberFigures,
}

/// What servers or members used over time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SamplesView {
    /// Over how long.
    pub range: SampleRange,
    /// When the first point begins.
    pub from: DateTime,
    /// When the last point begins, in which now is.
    pub to: DateTime,
    /// Seconds from one point to the next.
    pub step_seconds: i64,
    /// The servers, where they were asked for.
    pub nodes: Vec<NodeSeries>,
    /// The members who used anything, where they were asked for.
    pub members: Vec<MemberSeries>,
}

impl Team {
    /// The servers as they last told; the one whose reading is given, as that says.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn nodes_now(&self, own: Option<&Reading>) -> Result<Vec<NodeNow>, TeamError> {
        let now = self.clock.now();
        let told = |known: KnownNode| {
            let own = own.filter(|own| own.node == known.node);
            let reading = own.cloned().unwrap_or(known.reading);
            NodeNow {
                id: known.id,
                node: known.node,
                name: known.name,
                version: known.version,
                started_at: known.started_at,
                silent: now - reading.at > SILENT,
                reading,
            }
        };
        Ok(self.store.nodes().await?.into_iter().map(told).collect())
    }

    /// What members use now, those who use most memory first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn members_now(&self) -> Result<Vec<MemberNow>, TeamError> {
        let now = self.clock.now();
        let samples = self.store.member_samples_since(Span::Minute, now - NOW).await?;
        let mut latest: HashMap<(MemberId, PlaceId), MemberSample> = HashMap::new();
        for sample in samples {
            latest.insert((sample.member_id, sample.place), sample);
        }
        let mut all: HashMap<MemberId, MemberFigures> = HashMap::new();
        for sample in latest.into_values() {
            let figures = all.entry(sample.member_id).or_default();
            *figures = figures.beside(&sample.figures);
        }
        let day = UsageQuery { from: now - Duration::days(1), to: now, project: None, member: None };
        let spent = self.store.usage_groups(UsageBy::Member, &day).await?;
        let mut sums: HashMap<MemberId, (i64, i64)> = HashMap::new();
        for group in spent {
            let Some(id) = group.id else { continue };
            let tokens = group.sums.input_tokens
                + group.sums.output_tokens
                + group.sums.cache_read_tokens
                + group.sums.cache_write_tokens;
            sums.insert(MemberId(id), (tokens, group.sums.cost_micros));
            all.entry(MemberId(id)).or_default();
        }
        let names = self.names().await?;
        let mean = |level: Option<Level>| level.map(|level| level.mean);
        let told = |(member_id, figures): (MemberId, MemberFigures)| {
            let (tokens, cost_micros) = sums.get(&member_id).copied().unwrap_or_default();
            MemberNow {
                member_id,
                name: names.get(&member_id).cloned().unwrap_or_default(),
                memory: mean(figures.memory),
                processes: mean(figures.processes),
                processors: figures.processor_millis as f64 / 60_000.0,
                disk: mean(figures.disk).unwrap_or_default(),
                worktrees: mean(figures.worktrees).unwrap_or_default(),
                agents: mean(figures.agents).unwrap_or_default(),
                tokens,
                cost_micros,
            }
        };
        let mut members: Vec<MemberNow> = all.into_iter().map(told).collect();
        let most = |one: &MemberNow| (one.memory.unwrap_or_default(), one.disk, one.tokens as f64);
        members.sort_by(|one, other| most(other).partial_cmp(&most(one)).unwrap_or(std::cmp::Ordering::Equal));
        Ok(members)
    }

    /// What servers or members used over time.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn samples(&self, of: SamplesOf, range: SampleRange) -> Result<SamplesView, TeamError> {
        let now = self.clock.now();
        let mut view = SamplesView {
            range,
            from: range.begins(now),
            to: range.point(now),
            step_seconds: range.step(),
            nodes: Vec::new(),
            members: Vec::new(),
        };
        match of {
            SamplesOf::Nodes => view.nodes = self.node_series(range).await?,
            SamplesOf::Members => view.members = self.member_series(range, now).await?,
        }
        Ok(view)
    }

    async fn node_series(&self, range: SampleRange) -> Result<Vec<NodeSeries>, TeamError> {
        let mut points: BTreeMap<(PlaceId, DateTime), Vec<(NodeFigures, i64)>> = BTreeMap::new();
        for sample in self.store.node_samples(range).await? {
            points.entry((sample.place, range.point(sample.at))).or_default().push((sample.figures, sample.minutes));
        }
        let mut series: BTreeMap<PlaceId, Vec<NodePoint>> = BTreeMap::new();
        for ((place, at), parts) in points {
            let minutes = parts.iter().map(|(_, minutes)| minutes).sum();
            let figures = NodeFigures::after_each_other(&parts, minutes);
            series.entry(place).or_default().push(NodePoint { at, figures });
        }
        let known = self.store.nodes().await?;
        let name = |id| known.iter().find(|node| node.id == id).map(|node| node.name.clone()).unwrap_or_default();
        let mut nodes: Vec<NodeSeries> =
            series.into_iter().map(|(id, points)| NodeSeries { id, name: name(id), points }).collect();
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(nodes)
    }

    async fn member_series(&self, range: SampleRange, now: DateTime) -> Result<Vec<MemberSeries>, TeamError> {
        let samples = self.store.member_samples(range).await?;
        let mut series: BTreeMap<MemberId, Vec<MemberPoint>> = BTreeMap::new();
        for ((member, at), figures) in beside_each_other(samples, range, now) {
            series.entry(member).or_default().push(MemberPoint { at, figures });
        }
        let names = self.names().await?;
        let name = |id: &MemberId| names.get(id).cloned().unwrap_or_default();
        let mut members: Vec<MemberSeries> = series
            .into_iter()
            .map(|(member_id, points)| MemberSeries { name: name(&member_id), member_id, points })
            .collect();
        members.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(members)
    }

    async fn names(&self) -> Result<HashMap<MemberId, String>, TeamError> {
        let mut names = HashMap::new();
        let mut after = None;
        loop {
            let page = self.store.members(after, PAGE).await?;
            after = page.last().map(|member| member.id);
            let last = (page.len() as i64) < PAGE;
            names.extend(page.into_iter().map(|member| (member.id, member.name)));
            if last {
                return Ok(names);
            }
        }
    }
}

/// Puts samples together to points: those of one server one after the other, and then those of all servers.
fn beside_each_other(
    samples: Vec<MemberSample>,
    range: SampleRange,
    now: DateTime,
) -> BTreeMap<(MemberId, DateTime), MemberFigures> {
    let mut parts: BTreeMap<(MemberId, DateTime, PlaceId), Vec<(MemberFigures, i64)>> = BTreeMap::new();
    for sample in samples {
        let of = (sample.member_id, range.point(sample.at), sample.place);
        parts.entry(of).or_default().push((sample.figures, sample.minutes));
    }
    let mut points: BTreeMap<(MemberId, DateTime), MemberFigures> = BTreeMap::new();
    for ((member, at, _), parts) in parts {
        let passed = (now - at).num_minutes().clamp(1, range.step() / 60);
        // A span that is under way stands for as many minutes as it has samples of.
        let counted: i64 = parts.iter().map(|(_, minutes)| minutes).sum();
        let figures = MemberFigures::after_each_other(&parts, passed.max(counted));
        let sum = points.entry((member, at)).or_default();
        *sum = sum.beside(&figures);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_of_all_servers_and_idle_hours_count_as_nothing() {
        let now: DateTime = "2026-11-26T07:30:00Z".parse().unwrap();
        let (anna, here, there) = (MemberId::new(), PlaceId::new(), PlaceId::new());
        let sample = |place, at: &str, memory: f64, tokens| MemberSample {
            member_id: anna,
            place,
            at: at.parse().unwrap(),
            minutes: 60,
            figures: MemberFigures { memory: Some(Level::of(memory)), tokens, ..MemberFigures::default() },
        };
        let samples = vec![
            sample(here, "2026-11-26T01:00:00Z", 400.0, 1),
            sample(here, "2026-11-26T02:00:00Z", 200.0, 2),
            sample(there, "2026-11-26T02:00:00Z", 100.0, 4),
            sample(here, "2026-11-26T04:00:00Z", 8.0, 8),
        ];
        let points = beside_each_other(samples, SampleRange::Month, now);
        let told: Vec<_> = points.values().map(|figures| (figures.memory.unwrap(), figures.tokens)).collect();
        // Two of four hours on one server, one of four on the other.
        assert_eq!(told[0], (Level { mean: 175.0, max: 500.0 }, 7));
        // The span that is under way has lasted for three hours and a half.
        assert_eq!(told[1].0.max, 8.0);
        assert!((told[1].0.mean - 8.0 * 60.0 / 210.0).abs() < 1e-9, "{told:?}");
        assert_eq!(told.len(), 2);
    }
}
