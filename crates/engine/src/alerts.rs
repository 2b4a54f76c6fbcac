//! Watches how this node is: raises alerts and clears them, and lets work wait while the node is short of memory or disk.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use guildhall_store::NewAlert;
use guildhall_team::TeamError;
use guildhall_types::DateTime;
use guildhall_types::alert::{
    Alert, AlertKind, AlertLevel, Beside, Certificate, Judged, Open, RefusedKey, Server, Strain, Thresholds, Traces,
    Verdict, judge, measured,
};
use guildhall_types::reading::Reading;
use tokio::time::Instant;

use crate::Engine;
use crate::parking::Strains;

/// How often it is looked up which keys providers refused.
const KEYS: Duration = Duration::from_secs(60);
/// How often certificates are looked at, and how often when that did not work or one ends soon: it may have been renewed.
const CERTIFICATES: Duration = Duration::from_secs(24 * 60 * 60);
const CERTIFICATES_AGAIN: Duration = Duration::from_secs(60 * 60);

/// How often an alert that stands is written down as standing.
fn seen_every() -> chrono::Duration {
    chrono::Duration::minutes(1)
}

/// What is remembered from one reading to the next.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    traces: Traces,
    thresholds: Thresholds,
    /// The open alerts as the database told last: when it is away, work waits by these.
    open: Vec<Alert>,
    keys: Option<(Instant, Vec<RefusedKey>)>,
    /// As they were seen last, by their hosts.
    certificates: BTreeMap<String, Certificate>,
}

/// Judges each reading until the engine stops.
pub(crate) async fn watch_forever(engine: Engine) {
    if !engine.0.pace.alerts {
        return;
    }
    let mut readings = engine.readings();
    loop {
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            changed = readings.changed() => if changed.is_err() { return },
        }
        let reading = readings.borrow_and_update().clone();
        if let Some(reading) = reading {
            engine.judge(&reading).await;
        }
    }
}

/// Looks at the certificates that browsers are shown once a day, until the engine stops.
pub(crate) async fn look_at_certificates_forever(engine: Engine) {
    loop {
        let looked = engine.0.team.certificates().await;
        // Plain HTTP has none.
        if looked.is_empty() {
            return;
        }
        let mut again = CERTIFICATES;
        for (host, seen) in looked {
            match seen {
                Ok(certificate) => {
                    let mut watcher = engine.0.watcher.lock().await;
                    if ends_soon(&certificate, &watcher.thresholds, engine.0.team.clock.now()) {
                        again = CERTIFICATES_AGAIN;
                    }
                    watcher.certificates.insert(host, certificate);
                }
                Err(error) => {
                    tracing::warn!(host, %error, "a certificate could not be looked at; trying again in an hour");
                    again = CERTIFICATES_AGAIN;
                }
            }
        }
        tokio::select! {
            () = engine.0.stop.cancelled() => return,
            () = tokio::time::sleep(again) => {}
        }
    }
}

impl Engine {
    /// Judges a reading, as the engine does with each that it takes: raises alerts, clears them, and lets work wait.
    pub async fn judge(&self, reading: &Reading) {
        let team = &self.0.team;
        let mut watcher = self.0.watcher.lock().await;
        let server = self.server();
        match team.thresholds().await {
            Ok(thresholds) => watcher.thresholds = thresholds,
            Err(error) => tracing::warn!(%error, "the thresholds of alerts cannot be read; the former ones hold"),
        }
        match team.store.open_alerts().await {
            Ok(open) => watcher.open = open,
            Err(error) => tracing::warn!(%error, "open alerts cannot be read"),
        }
        let beside = self.beside(&mut watcher).await;
        *self.0.beside.lock().unwrap_or_else(PoisonError::into_inner) = Some(beside.clone());
        let Watcher { traces, thresholds, open, .. } = &mut *watcher;
        let known_keys: Vec<String> = open
            .iter()
            .filter(|alert| alert.kind == AlertKind::KeyRefused)
            .map(|alert| alert.subject.clone())
            .collect();
        let measured = measured(reading, &beside, &server, &known_keys);
        // What is measured no more is over. A certificate stands also while it cannot be looked at, and a clean-up until the first
        // one after a start has come to its end.
        let hosts = team.certificate_hosts();
        let here = [(AlertKind::CleanUpStuck, server.subject.as_str())];
        let certificates = hosts.iter().map(|host| (AlertKind::CertificateEnds, host.as_str()));
        let own: Vec<(AlertKind, &str)> =
            measured.iter().map(|one| (one.kind, one.subject.as_str())).chain(here).chain(certificates).collect();
        let standing: Vec<Open> = open
            .iter()
            .map(|alert| Open { kind: alert.kind, subject: alert.subject.clone(), level: alert.level })
            .collect();
        let judged = judge(&measured, thresholds, &standing, traces, reading.at);
        // Before anything is written: work waits also when the database does.
        let (strains, urgent) = strains(&judged, &standing, thresholds);
        // An alert outlasts what it tells of; a sandbox that is there again can be used.
        let sandbox = beside.sandbox_usable == Some(false);
        self.strained(|_| Strains { sandbox, ..strains }, urgent).await;
        for one in &judged {
            if let Err(error) = self.write(one, thresholds, open).await {
                tracing::error!(kind = %one.measured.kind, %error, "an alert cannot be written; trying again");
            }
        }
        match team.store.clear_silent_alerts(&own).await {
            Ok(gone) => gone.iter().for_each(|alert| {
                tracing::info!(kind = %alert.kind, about = alert.about, "an alert is over: nobody measures it any more");
            }),
            Err(error) => tracing::warn!(%error, "alerts of nodes that are gone cannot be cleared"),
        }
    }

    /// Writes what came of a figure.
    async fn write(&self, judged: &Judged, thresholds: &Thresholds, open: &[Alert]) -> Result<(), TeamError> {
        let store = &self.0.team.store;
        let Judged { measured: of, verdict } = judged;
        let standing = open.iter().find(|alert| alert.kind == of.kind && alert.subject == of.subject);
        let about = standing.map_or(of.about.as_str(), |alert| alert.about.as_str());
        let text = |level| of.kind.text(level, of.value, thresholds.of(of.kind), about);
        match (*verdict, standing) {
            (Verdict::Raised(level), _) => {
                let new = NewAlert {
                    kind: of.kind,
                    subject: of.subject.clone(),
                    about: of.about.clone(),
                    level,
                    value: of.value,
                    text: text(level),
                };
                if store.raise_alert(&new).await?.is_some() {
                    tracing::warn!(kind = %of.kind, %level, about, value = of.value, "an alert is raised");
                }
            }
            (Verdict::Worsened, Some(alert)) => {
                let level = AlertLevel::Critical;
                if store.change_alert(alert.id, of.value, level, &text(level)).await?.is_some() {
                    tracing::warn!(kind = %of.kind, about, value = of.value, "an alert is critical now");
                }
            }
            (Verdict::Eased, Some(alert)) => {
                let level = AlertLevel::Warning;
                if store.change_alert(alert.id, of.value, level, &text(level)).await?.is_some() {
                    tracing::info!(kind = %of.kind, about, value = of.value, "an alert is no longer critical");
                }
            }
            (Verdict::Cleared, Some(alert)) => {
                if store.clear_alert(alert.id, of.value).await?.is_some() {
                    tracing::info!(kind = %of.kind, about, value = of.value, "an alert is over");
                }
            }
            (Verdict::Stands, Some(alert)) => {
                let now = self.0.team.clock.now();
                let worse = of.kind.weight(of.value) > of.kind.weight(alert.worst);
                if alert.was_silenced(now) {
                    if store.tell_alert_again(alert.id, of.value, &text(alert.level)).await?.is_some() {
                        tracing::warn!(kind = %of.kind, about, value = of.value, "an alert still stands after its silence");
                    }
                } else if worse || now - alert.seen_at >= seen_every() {
                    store.see_alert(alert.id, of.value).await?;
                }
            }
            // Nothing is said of an alert that is not open but that it is raised.
            (_, None) => {}
        }
        Ok(())
    }

    /// This server, as alerts name it: by its data folder, which is one process's, so that servers on one machine are apart, and
    /// whose name it keeps when the machine gets another.
    fn server(&self) -> Server {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = match name.trim() {
            "" => "this server".to_owned(),
            name => name.to_owned(),
        };
        Server { subject: self.0.place.id().to_string(), name }
    }

    /// Since when mails come no further; this moment when they do, and nothing where none are sent.
    async fn mail_stuck(&self) -> Option<DateTime> {
        let team = &self.0.team;
        if !team.mail_is_on() {
            return None;
        }
        match team.store.mail_stuck_since().await {
            Ok(since) => Some(since.unwrap_or(team.clock.now())),
            Err(error) => {
                tracing::warn!(%error, "it cannot be looked up whether mails come through");
                None
            }
        }
    }

    /// What was known beside the latest reading; nothing in the first moments. Whoever asks does not wait for the
    /// database, as whoever judges does.
    pub fn known_beside(&self) -> Option<Beside> {
        self.0.beside.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known beside a reading. What has no source stays absent.
    async fn beside(&self, watcher: &mut Watcher) -> Beside {
        if watcher.keys.as_ref().is_none_or(|(at, _)| at.elapsed() >= KEYS) {
            watcher.keys = match self.0.team.store.refused_keys().await {
                Ok(keys) => Some((Instant::now(), keys)),
                Err(error) => {
                    tracing::warn!(%error, "refused keys cannot be looked up");
                    None
                }
            };
        }
        Beside {
            // A bus of this process's own is never lost.
            bus_lost: self.0.bus.link().map(|link| match link.up {
                true => chrono::Duration::zero(),
                false => self.0.team.clock.now().signed_duration_since(link.since).max(chrono::Duration::zero()),
            }),
            last_backup: self.0.team.not_backed_up_since().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "it cannot be looked up how old the latest backup is");
                None
            }),
            mail_stuck: self.mail_stuck().await,
            last_clean_up: {
                let tidiness = self.tidiness();
                tidiness.stuck_since.or(tidiness.last_good_at)
            },
            certificates: watcher.certificates.values().cloned().collect(),
            refused_keys: watcher.keys.as_ref().map(|(_, keys)| keys.clone()),
            sandbox_usable: Some(self.sandbox_report().await.usable),
        }
    }
}

/// Whether a certificate is one of which an alert stands, or would.
fn ends_soon(certificate: &Certificate, thresholds: &Thresholds, now: DateTime) -> bool {
    certificate.days_left(now) <= thresholds.of(AlertKind::CertificateEnds).warning
}

/// What the node is short of, by what came of its figures, and whether it has too little memory at this very moment: an alert
/// outlasts what it tells of for a while.
fn strains(judged: &[Judged], open: &[Open], thresholds: &Thresholds) -> (Strains, bool) {
    let (mut strains, mut urgent) = (Strains::default(), false);
    for Judged { measured: of, verdict } in judged {
        let Some(strain) = of.kind.strain() else { continue };
        let before = open.iter().find(|open| open.kind == of.kind && open.subject == of.subject).map(|open| open.level);
        let level = match verdict {
            Verdict::Raised(level) => Some(*level),
            Verdict::Worsened => Some(AlertLevel::Critical),
            Verdict::Eased => Some(AlertLevel::Warning),
            Verdict::Cleared => None,
            Verdict::Stands => before,
        };
        if level != Some(AlertLevel::Critical) {
            continue;
        }
        match strain {
            Strain::Memory => {
                strains.memory = true;
                urgent = of.value >= thresholds.of(of.kind).critical;
            }
            Strain::Disk => strains.disk = true,
            Strain::Sandbox => {}
        }
    }
    (strains, urgent)
}
