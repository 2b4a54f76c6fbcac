//! The audit: numbered without gaps, each entry chained to the one before it by a hash, so that a change, a gap or another
//! order shows.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use guildhall_types::audit::{AuditAction, AuditEntry, AuditObject, AuditOutcome, Note, plain};
use guildhall_types::{DateTime, MemberId, TokenId};
use sha2::{Digest, Sha256};
use sqlx::{Database, QueryBuilder};

use crate::{Rows, Store, StoreError, Tx, on, read};

const COLUMNS: &str =
    "seq, at, member_id, token_id, action, object, object_id, address, user_agent, outcome, detail, prev_hash, hash";
/// Names what is hashed, and how.
const DOMAIN: &[u8] = b"guildhall audit 1";
/// Entries that are looked at, at once.
const AT_ONCE: i64 = 1_000;

/// Which entries.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Only what this member did.
    pub actor: Option<MemberId>,
    /// Only this action.
    pub action: Option<AuditAction>,
    /// Only what was done to this kind of thing.
    pub object: Option<AuditObject>,
    /// Only what was done to the thing of this id.
    pub object_id: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<AuditOutcome>,
    /// Only from this moment on.
    pub from: Option<DateTime>,
    /// Only before this moment.
    pub to: Option<DateTime>,
    /// Only entries after the one with this number, in the order of the list.
    pub after: Option<i64>,
    /// The oldest first; otherwise the latest first.
    pub oldest_first: bool,
    /// How many at most.
    pub limit: i64,
}

/// What a walk along the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Entries that are as they were written, from the first on.
    pub sound: i64,
    /// The hash of the last of them, in hexadecimal. Whoever keeps it elsewhere can tell a chain that was written anew.
    pub hash: String,
    /// The first place where the chain is broken.
    pub broken: Option<Broken>,
}

/// A place where the chain is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is not there.
    #[error("entry {0} is missing")]
    Missing(i64),
    /// An entry does not follow the one before it: one of them was put in another's place.
    #[error("entry {0} does not follow the entry before it")]
    Unchained(i64),
    /// An entry is not as it was written.
    #[error("entry {0} was changed")]
    Changed(i64),
    /// The last entry is not the one that was written last.
    #[error("entry {0} is not the one that was written last: the end of the audit was changed")]
    End(i64),
}

/// A row as it is stored. Its words are not understood here: a row that was tampered with must not stop the walk.
#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    at: DateTime,
    member_id: Option<MemberId>,
    token_id: Option<TokenId>,
    action: String,
    object: Option<String>,
    object_id: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
    outcome: String,
    detail: String,
    prev_hash: Vec<u8>,
    hash: Vec<u8>,
}

impl Row {
    /// The hash of the entry before it and of every field, each with its length before it: no two entries look alike.
    fn chained(&self) -> Vec<u8> {
        let ids = [self.member_id.map(|id| id.to_string()), self.token_id.map(|id| id.to_string())];
        let at = self.at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let fields = [
            Some(self.seq.to_string()),
            Some(at),
            ids[0].clone(),
            ids[1].clone(),
            Some(self.action.clone()),
            self.object.clone(),
            self.object_id.clone(),
            self.address.clone(),
            self.user_agent.clone(),
            Some(self.outcome.clone()),
            Some(self.detail.clone()),
        ];
        let mut hasher = Sha256::new();
        hasher.update(DOMAIN);
        hasher.update(&self.prev_hash);
        for field in fields {
            match field {
                None => hasher.update([0]),
                Some(text) => {
                    hasher.update([1]);
                    hasher.update((text.len() as u64).to_be_bytes());
                    hasher.update(text.as_bytes());
                }
            }
        }
        hasher.finalize().to_vec()
    }

    fn entry(self) -> Result<AuditEntry, StoreError> {
        let unknown = |error: guildhall_types::UnknownText| StoreError::Database(sqlx::Error::Decode(Box::new(error)));
        Ok(AuditEntry {
            seq: self.seq,
            at: self.at,
            member_id: self.member_id,
            token_id: self.token_id,
            action: self.action.parse().map_err(unknown)?,
            object: self.object.map(|text| text.parse()).transpose().map_err(unknown)?,
            object_id: self.object_id,
            address: self.address,
            user_agent: self.user_agent,
            outcome: self.outcome.parse().map_err(unknown)?,
            detail: serde_json::from_str::<BTreeMap<String, String>>(&self.detail)?,
            hash: hex(&self.hash),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Store {
    /// Writes an entry that goes with no change.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self, note: Note) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.note(note);
        self.commit(tx).await
    }

    pub(crate) async fn write_note(&self, tx: &mut Tx, note: &Note) -> Result<(), StoreError> {
        // The head's row is locked until the commit: entries follow each other in the order of commit.
        let (seq, prev_hash): (i64, Vec<u8>) = on!(tx, c => sqlx::query_as(
            "UPDATE audit_head SET seq = seq + 1 WHERE one = 1 RETURNING seq, hash").fetch_one(c).await)?;
        let mut row = Row {
            seq,
            at: self.now(),
            member_id: self.actor.member,
            token_id: self.actor.token,
            action: note.action.to_string(),
            object: note.object.as_ref().map(|(kind, _)| kind.to_string()),
            object_id: note.object.as_ref().map(|(_, id)| plain(id)),
            address: self.actor.address.as_deref().map(plain),
            user_agent: self.actor.user_agent.as_deref().map(plain),
            outcome: note.outcome.to_string(),
            detail: serde_json::to_string(&note.detail)?,
            prev_hash,
            hash: Vec::new(),
        };
        row.hash = row.chained();
        let sql =
            format!("INSERT INTO audit ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)");
        on!(tx, c => sqlx::query(sqlx::AssertSqlSafe(sql)).bind(row.seq).bind(row.at).bind(row.member_id).bind(row.token_id)
            .bind(&row.action).bind(&row.object).bind(&row.object_id).bind(&row.address).bind(&row.user_agent)
            .bind(&row.outcome).bind(&row.detail).bind(&row.prev_hash).bind(&row.hash).execute(c).await.rows())?;
        on!(tx, c => sqlx::query("UPDATE audit_head SET hash = $1 WHERE one = 1").bind(&row.hash).execute(c).await.rows())?;
        Ok(())
    }

    /// Entries of the audit.
    ///
    /// # Errors
    /// When the database fails, or what is stored cannot be read.
    pub async fn audit_entries(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let rows: Vec<Row> = read!(self, c => select(query).build_query_as().fetch_all(c).await)?;
        rows.into_iter().map(Row::entry).collect()
    }

    /// Walks along the chain, from the first entry to the last, and stops where it is broken.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verify_audit(&self) -> Result<Verdict, StoreError> {
        let (head, head_hash): (i64, Vec<u8>) =
            read!(self, c => sqlx::query_as("SELECT seq, hash FROM audit_head WHERE one = 1").fetch_one(c).await)?;
        let sql = format!("SELECT {COLUMNS} FROM audit WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3");
        let (mut sound, mut hash) = (0, vec![0; 32]);
        let verdict = |sound, hash: &[u8], broken| Verdict { sound, hash: hex(hash), broken };
        loop {
            let rows: Vec<Row> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql.clone())).bind(sound).bind(head)
                .bind(AT_ONCE).fetch_all(c).await)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let broken = match row {
                    _ if row.seq != sound + 1 => Some(Broken::Missing(sound + 1)),
                    _ if row.prev_hash != hash => Some(Broken::Unchained(row.seq)),
                    _ if row.chained() != row.hash => Some(Broken::Changed(row.seq)),
                    _ => None,
                };
                if broken.is_some() {
                    return Ok(verdict(sound, &hash, broken));
                }
                (sound, hash) = (row.seq, row.hash);
            }
        }
        let (last, written): (Option<i64>, i64) = read!(self, c => sqlx::query_as(
            "SELECT (SELECT max(seq) FROM audit), seq FROM audit_head WHERE one = 1").fetch_one(c).await)?;
        let broken = match last.unwrap_or(0) {
            _ if sound != head => Some(Broken::Missing(sound + 1)),
            _ if hash != head_hash => Some(Broken::End(sound)),
            last if last != written => Some(Broken::End(last)),
            _ => None,
        };
        Ok(verdict(sound, &hash, broken))
    }
}

fn select<DB: Database>(query: &AuditQuery) -> QueryBuilder<DB>
where
    for<'q> MemberId: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> String: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> DateTime: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    for<'q> i64: sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let mut sql = QueryBuilder::new(format!("SELECT {COLUMNS} FROM audit WHERE seq > 0"));
    if let Some(member) = query.actor {
        sql.push(" AND member_id = ").push_bind(member);
    }
    if let Some(action) = query.action {
        sql.push(" AND action = ").push_bind(action.to_string());
    }
    if let Some(object) = query.object {
        sql.push(" AND object = ").push_bind(object.to_string());
    }
    if let Some(id) = &query.object_id {
        sql.push(" AND object_id = ").push_bind(id.clone());
    }
    if let Some(outcome) = query.outcome {
        sql.push(" AND outcome = ").push_bind(outcome.to_string());
    }
    if let Some(from) = query.from {
        sql.push(" AND at >= ").push_bind(from);
    }
    if let Some(to) = query.to {
        sql.push(" AND at < ").push_bind(to);
    }
    if let Some(after) = query.after {
        sql.push(if query.oldest_first { " AND seq > " } else { " AND seq < " }).push_bind(after);
    }
    sql.push(if query.oldest_first { " ORDER BY seq LIMIT " } else { " ORDER BY seq DESC LIMIT " });
    sql.push_bind(query.limit);
    sql
}
