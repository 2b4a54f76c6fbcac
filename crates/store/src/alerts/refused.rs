//! Which keys providers refused, as far as runs show it.

use chrono::Duration;
use guildhall_types::MemberId;
use guildhall_types::alert::RefusedKey;
use guildhall_types::member::ProviderKind;
use guildhall_types::run::KeySource;

use crate::{Store, StoreError, read};

/// How far back a refusal counts. After that nobody has tried the key for long, and nothing is known of it.
const COUNTS: Duration = Duration::days(7);

impl Store {
    /// The keys that a provider refused when they were used last: a run failed by it, and since then no call was paid with the
    /// key and none was put in its place.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refused_keys(&self) -> Result<Vec<RefusedKey>, StoreError> {
        let rows: Vec<(KeySource, ProviderKind, MemberId, String)> = read!(self, c => sqlx::query_as(
            "SELECT DISTINCT r.key_source, r.key_provider, r.member_id, m.name
             FROM runs r JOIN members m ON m.id = r.member_id
             WHERE r.status = 'failed' AND r.ended_at > $1 AND r.error ->> 'code' IN ('invalid-key', 'key-not-allowed')
               AND r.key_source IN ('member', 'team') AND r.key_provider IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.at > r.ended_at AND l.provider = r.key_provider
                 AND l.key_source = r.key_source AND (r.key_source = 'team' OR l.member_id = r.member_id))
               AND (r.key_source = 'team' OR EXISTS (SELECT 1 FROM credentials c WHERE c.member_id = r.member_id
                 AND c.provider = r.key_provider AND c.updated_at <= r.ended_at))
               AND (r.key_source = 'member' OR NOT EXISTS (SELECT 1 FROM team_credentials t
                 WHERE t.provider = r.key_provider AND t.updated_at > r.ended_at))
             ORDER BY r.key_source, r.key_provider, r.member_id").bind(self.now() - COUNTS).fetch_all(c).await)?;
        let mut keys: Vec<RefusedKey> = Vec::new();
        for (source, provider, member, name) in rows {
            let member = (source == KeySource::Member).then_some((member, name));
            let key = RefusedKey { source, member, provider };
            // The team's is one, whosever runs it failed.
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        Ok(keys)
    }
}
