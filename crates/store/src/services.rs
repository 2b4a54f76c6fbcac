//! Services of runs, and what lets a browser see their pages.

use chrono::Duration;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::feature::FeatureStatus;
use guildhall_types::run::{DiffStat, Run, RunEvent};
use guildhall_types::service::{AT_ONCE, KEPT, Service, ServiceStatus};
use guildhall_types::{DateTime, MemberId, NodeId, RunId, ServiceId, SessionId};

use crate::{Lease, Rows, Store, StoreError, Tx, Word, on, read};

const COLUMNS: &str = "id, run_id, name, command, port, status, exit_code, problem, member_id, started_at, until, ended_at, \
    seen_at, label";

/// A service whose process was not heard of for so long is gone, and its process with it.
const SILENT: Duration = Duration::minutes(2);
const LOST: &str = "The server that ran it was stopped.";

/// A service to be started.
#[derive(Debug, Clone)]
pub struct NewService {
    /// Its id.
    pub id: ServiceId,
    /// The run.
    pub run: RunId,
    /// What it is called.
    pub name: String,
    /// The command.
    pub command: String,
    /// The port at which it is to listen.
    pub port: Option<i64>,
    /// Who starts it; nobody where an agent does.
    pub member: Option<MemberId>,
    /// The process that will run it.
    pub node: NodeId,
    /// When it is stopped at the latest.
    pub until: Option<DateTime>,
    /// The first part of the name under which its pages are shown.
    pub label: String,
}

/// How a service ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEnd {
    /// How.
    pub status: ServiceStatus,
    /// The exit code.
    pub exit_code: Option<i64>,
    /// Why, where it did not end by itself.
    pub problem: Option<String>,
    /// The end of what it printed.
    pub log: String,
    /// Whether its agent is still to hear of it.
    pub untold: bool,
}

/// What lets a browser see the pages of a service.
#[derive(Debug, Clone)]
pub struct NewPass {
    /// The hash of its token.
    pub token_hash: Vec<u8>,
    /// Which service's pages.
    pub label: String,
    /// The session that it ends with.
    pub session: SessionId,
    /// Whether it is good for exchanging it once, and for nothing else.
    pub ticket: bool,
    /// When it ends.
    pub expires_at: DateTime,
}

impl Store {
    /// Puts a service down as running, in the place of a former one of its name. Nothing when that one runs.
    ///
    /// # Errors
    /// [`StoreError::TooMany`].
    pub async fn begin_service(&self, new: NewService) -> Result<Option<Service>, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        // Whoever begins one holds the run's row, so that they are counted one after the other.
        let held = on!(tx, c => sqlx::query("UPDATE runs SET attempt = attempt WHERE id = $1").bind(new.run).execute(c)
            .await.rows())?;
        if held != 1 {
            return Err(StoreError::NotFound { what: "run" });
        }
        let alive = now - SILENT;
        let (running, others): (i64, i64) = on!(tx, c => sqlx::query_as(
            "SELECT coalesce(sum(CASE WHEN status = 'running' AND seen_at >= $3 THEN 1 ELSE 0 END), 0), count(*)
             FROM run_services WHERE run_id = $1 AND name <> $2").bind(new.run).bind(&new.name).bind(alive).fetch_one(c)
            .await)?;
        if running >= AT_ONCE {
            return Err(StoreError::TooMany { what: "running services of this work", most: AT_ONCE });
        }
        if others >= KEPT {
            return Err(StoreError::TooMany { what: "names of services of this work", most: KEPT });
        }
        on!(tx, c => sqlx::query(
            "DELETE FROM preview_passes WHERE label IN (SELECT label FROM run_services WHERE run_id = $1 AND name = $2
               AND (status <> 'running' OR seen_at < $3))").bind(new.run).bind(&new.name).bind(alive).execute(c).await.rows())?;
        let sql = format!(
            "INSERT INTO run_services (id, run_id, name, command, port, status, log, member_id, node, label, untold,
               started_at, seen_at, until)
             VALUES ($1, $2, $3, $4, $5, $6, '', $7, $8, $9, $10, $11, $11, $12)
             ON CONFLICT (run_id, name) DO UPDATE SET id = excluded.id, command = excluded.command, port = excluded.port,
               status = excluded.status, exit_code = NULL, problem = NULL, log = '', member_id = excluded.member_id,
               node = excluded.node, label = excluded.label, untold = excluded.untold, started_at = excluded.started_at,
               seen_at = excluded.seen_at, until = excluded.until, ended_at = NULL
             WHERE run_services.status <> $6 OR run_services.seen_at < $13
             RETURNING {COLUMNS}"
        );
        let begun: Option<Service> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(new.id)
            .bind(new.run).bind(&new.name).bind(crate::clean(&new.command)).bind(new.port).bind(ServiceStatus::Running)
            .bind(new.member).bind(new.node).bind(&new.label).bind(new.member.is_none()).bind(now).bind(new.until)
            .bind(alive).fetch_optional(c).await)?;
        let Some(service) = begun else { return Ok(None) };
        self.record(&mut tx, &Happening::ServiceUpdated { service: service.clone() }).await?;
        if new.member.is_some() {
            tx.note(note(AuditAction::StartService, &service).with("command", &service.command));
        }
        self.commit(tx).await?;
        Ok(Some(service))
    }

    /// Puts down how a service of this process ended. Returns whether it was running.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_service(&self, id: ServiceId, node: NodeId, end: &ServiceEnd) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "UPDATE run_services SET status = $3, exit_code = $4, problem = $5, log = $6, untold = (untold AND $7),
               seen_at = $8, ended_at = $8
             WHERE id = $1 AND node = $2 AND status = 'running' RETURNING {COLUMNS}"
        );
        let ended: Option<Service> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(node)
            .bind(end.status).bind(end.exit_code).bind(end.problem.as_deref().map(crate::clean)).bind(crate::clean(&end.log))
            .bind(end.untold).bind(self.now()).fetch_optional(c).await)?;
        let Some(service) = ended else { return Ok(false) };
        on!(tx, c => sqlx::query("DELETE FROM preview_passes WHERE label = $1").bind(&service.label).execute(c).await.rows())?;
        self.record(&mut tx, &Happening::ServiceUpdated { service }).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Notes that a member stops a service, for the audit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_service_stop(&self, service: &Service) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.note(note(AuditAction::StopService, service));
        self.commit(tx).await
    }

    /// Notes that a member opens a terminal in the worktree of a run, for the audit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_terminal(&self, run: &Run, read_only: bool) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let note = Note::new(AuditAction::OpenTerminal).on(AuditObject::Feature, run.feature_id).with("run", run.id);
        tx.note(note.with("readOnly", read_only));
        self.commit(tx).await
    }

    /// Says that these services of this process still run. One whose end could not be saved is not among them, so that it
    /// counts as lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn beat_services(&self, node: NodeId, ids: &[ServiceId]) -> Result<(), StoreError> {
        let now = self.now();
        let mut tx = self.begin_light().await?;
        for id in ids {
            on!(tx, c => sqlx::query("UPDATE run_services SET seen_at = $3 WHERE id = $1 AND node = $2 AND status = 'running'")
                .bind(id).bind(node).bind(now).execute(c).await.rows())?;
        }
        self.commit(tx).await
    }

    /// Puts down as lost what a process ran that is gone: all of them, for the start of the only process that uses this
    /// database, or those that were not heard of for long.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lose_services(&self, all: bool) -> Result<u64, StoreError> {
        let now = self.now();
        let before = if all { now + SILENT } else { now - SILENT };
        let mut tx = self.begin().await?;
        let sql = format!(
            "UPDATE run_services SET status = $1, problem = $2, ended_at = seen_at WHERE status = 'running' AND seen_at < $3
             RETURNING {COLUMNS}"
        );
        let lost: Vec<Service> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(ServiceStatus::Lost).bind(LOST)
            .bind(before).fetch_all(c).await)?;
        let count = lost.len() as u64;
        for service in lost {
            on!(tx, c => sqlx::query("DELETE FROM preview_passes WHERE label = $1").bind(&service.label).execute(c).await.rows())?;
            self.record(&mut tx, &Happening::ServiceUpdated { service }).await?;
        }
        self.commit(tx).await?;
        Ok(count)
    }

    /// A run that is claimed has no service any more: what its former claim left as running is lost. If `say` holds, its
    /// agent hears at its next turn which of those that it had started no longer run.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn forget_services(&self, lease: &Lease, say: bool) -> Result<(), StoreError> {
        let (any,): (i64,) = read!(self, c => sqlx::query_as(
            "SELECT count(*) FROM run_services WHERE run_id = $1 AND (status = 'running' OR untold = $2)").bind(lease.run)
            .bind(true).fetch_one(c).await)?;
        if any == 0 {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let run = self.held(&mut tx, lease).await?;
        let sql = format!(
            "UPDATE run_services SET status = $2, problem = $3, ended_at = seen_at WHERE run_id = $1 AND status = 'running'
             RETURNING {COLUMNS}"
        );
        let lost: Vec<Service> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run.id)
            .bind(ServiceStatus::Lost).bind(LOST).fetch_all(c).await)?;
        let mut told = false;
        if say {
            let gone: Vec<(String, String)> = on!(tx, c => sqlx::query_as(
                "UPDATE run_services SET untold = $2 WHERE run_id = $1 AND untold = $3 RETURNING name, command").bind(run.id)
                .bind(false).bind(true).fetch_all(c).await)?;
            if !gone.is_empty() {
                let names: Vec<String> = gone.iter().map(|(name, command)| format!("{name} (`{command}`)")).collect();
                let text = format!(
                    "These services ended when your work did, or was interrupted: {}. Start again what you still need.",
                    names.join(", ")
                );
                self.say_in(&mut tx, &run, &Word { text, data: String::new(), counts: crate::Counts::Nothing }).await?;
                told = true;
            }
        }
        if lost.is_empty() && !told {
            return Ok(());
        }
        for service in lost {
            on!(tx, c => sqlx::query("DELETE FROM preview_passes WHERE label = $1").bind(&service.label).execute(c).await.rows())?;
            self.record(&mut tx, &Happening::ServiceUpdated { service }).await?;
        }
        self.commit(tx).await
    }

    /// A run's services, in the order of their names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn services(&self, run: RunId) -> Result<Vec<Service>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM run_services WHERE run_id = $1 ORDER BY name");
        let all: Vec<Service> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run).fetch_all(c).await)?;
        Ok(all.into_iter().map(|service| self.as_it_is(service)).collect())
    }

    /// A run's service of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn service(&self, run: RunId, name: &str) -> Result<Option<Service>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM run_services WHERE run_id = $1 AND name = $2");
        let found: Option<Service> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(run).bind(name).fetch_optional(c).await)?;
        Ok(found.map(|service| self.as_it_is(service)))
    }

    /// The service whose pages are shown under this label.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn service_by_label(&self, label: &str) -> Result<Option<Service>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM run_services WHERE label = $1");
        let found: Option<Service> =
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(label).fetch_optional(c).await)?;
        Ok(found.map(|service| self.as_it_is(service)))
    }

    /// The end of what a service printed; empty while it runs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn service_log(&self, id: ServiceId) -> Result<Option<String>, StoreError> {
        let found: Option<(String,)> = read!(self, c => sqlx::query_as("SELECT log FROM run_services WHERE id = $1")
            .bind(id).fetch_optional(c).await)?;
        Ok(found.map(|(log,)| log))
    }

    /// One whose process is gone is shown as lost.
    fn as_it_is(&self, service: Service) -> Service {
        match service.status == ServiceStatus::Running && service.seen_at < self.now() - SILENT {
            true => Service {
                status: ServiceStatus::Lost,
                problem: Some(LOST.to_owned()),
                ended_at: Some(service.seen_at),
                ..service
            },
            false => service,
        }
    }

    /// Lets a browser see the pages of a service, and forgets what has run out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_preview_ticket(&self, service: &Service, new: NewPass) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(tx, c => sqlx::query("DELETE FROM preview_passes WHERE expires_at <= $1").bind(self.now()).execute(c).await.rows())?;
        put_pass(&mut tx, &new).await?;
        tx.note(note(AuditAction::OpenPreview, service));
        self.commit(tx).await
    }

    /// Exchanges a ticket for the pass that a browser keeps. Nothing when the ticket is not good for these pages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_preview_ticket(
        &self,
        label: &str,
        ticket_hash: &[u8],
        token_hash: Vec<u8>,
        expires_at: DateTime,
    ) -> Result<Option<SessionId>, StoreError> {
        let mut tx = self.begin().await?;
        let used: Option<(SessionId,)> = on!(tx, c => sqlx::query_as(
            "DELETE FROM preview_passes WHERE token_hash = $1 AND label = $2 AND ticket = $3 AND expires_at > $4
             RETURNING session_id").bind(ticket_hash).bind(label).bind(true).bind(self.now()).fetch_optional(c).await)?;
        let Some((session,)) = used else { return Ok(None) };
        let new = NewPass { token_hash, label: label.to_owned(), session, ticket: false, expires_at };
        put_pass(&mut tx, &new).await?;
        self.commit(tx).await?;
        Ok(Some(session))
    }

    /// The session by which a browser with this pass sees these pages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn preview_pass(&self, label: &str, token_hash: &[u8]) -> Result<Option<SessionId>, StoreError> {
        let found: Option<(SessionId,)> = read!(self, c => sqlx::query_as(
            "SELECT session_id FROM preview_passes WHERE token_hash = $1 AND label = $2 AND ticket = $3 AND expires_at > $4")
            .bind(token_hash).bind(label).bind(false).bind(self.now()).fetch_optional(c).await)?;
        Ok(found.map(|(session,)| session))
    }

    /// Notes the state of a run's files after a member changed them in a terminal: from `before`, while nobody but `node`
    /// works on it, and while nobody has found the work good or settled it. Returns whether it is noted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_hand_work(
        &self,
        id: RunId,
        node: NodeId,
        before: &str,
        commit: &str,
        stat: DiffStat,
        said: &str,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "UPDATE runs SET attempt = attempt WHERE id = $1 AND coalesce(head_commit, base_commit) = $2
               AND (status <> 'running' OR lease_owner = $3) AND status <> 'closed' RETURNING {}",
            crate::runs::COLUMNS
        );
        let run: Option<Run> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(before).bind(node)
            .fetch_optional(c).await)?;
        let Some(run) = run else { return Ok(false) };
        let status = self.locked_feature(&mut tx, run.feature_id).await?.card.status;
        if matches!(status, FeatureStatus::Verified | FeatureStatus::Completed | FeatureStatus::Backlog) {
            return Ok(false);
        }
        self.set_work(&mut tx, &run, commit, stat).await?;
        self.record_run(&mut tx, &run, RunEvent::Note { text: crate::clean(said) }).await?;
        let note = Note::new(AuditAction::ChangeFiles).on(AuditObject::Feature, run.feature_id).with("run", run.id);
        tx.note(note.with("commit", commit));
        self.tell_both(tx, run.feature_id, run.id).await?;
        Ok(true)
    }

    /// A note in a run, of what happened to its files while nobody held it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_of_files(&self, id: RunId, said: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let Some(run) = self.locked_run(&mut tx, id).await? else { return Ok(()) };
        self.record_run(&mut tx, &run, RunEvent::Note { text: crate::clean(said) }).await?;
        self.tell_both(tx, run.feature_id, run.id).await.map(|_| ())
    }
}

async fn put_pass(tx: &mut Tx, new: &NewPass) -> Result<(), StoreError> {
    on!(tx, c => sqlx::query(
        "INSERT INTO preview_passes (token_hash, label, session_id, ticket, expires_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(&new.token_hash).bind(&new.label).bind(new.session).bind(new.ticket).bind(new.expires_at).execute(c).await
        .rows())?;
    Ok(())
}

fn note(action: AuditAction, service: &Service) -> Note {
    Note::new(action).on(AuditObject::Service, service.id).with("run", service.run_id).with("name", &service.name)
}
