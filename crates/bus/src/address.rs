//! Where Redis is, and whether it does what is asked of it.

use std::time::Duration;

use guildhall_types::NodeId;
use redis::{ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use tokio::time::Instant;

use crate::link::{LinkError, connect, message};

/// How long a word may take to come back.
const BACK: Duration = Duration::from_secs(5);
/// The port where none is named.
const PORT: u16 = 6379;

/// The address of a Redis. Of its user and password nothing shows.
#[derive(Clone)]
pub struct RedisUrl {
    info: ConnectionInfo,
    shown: String,
}

impl std::fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RedisUrl").field(&self.shown).finish()
    }
}

/// What was found at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The program and its version, as far as it tells.
    pub version: String,
    /// How long a word took to come back.
    pub back: Duration,
}

impl RedisUrl {
    /// Reads `redis://` or `rediss://`, a user and a password if there are any, a host, perhaps a port and the number of a
    /// database; nothing when it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let url = redis::parse_redis_url(text)?;
        // What else may stand there would be passed over, or would switch off what TLS is for.
        let plain = url.query().is_none() && url.fragment().is_none();
        if !plain || !matches!(url.scheme(), "redis" | "rediss") {
            return None;
        }
        let shown = format!("{}:{}", url.host_str()?, url.port().unwrap_or(PORT));
        let info = url.into_connection_info().ok()?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Some(Self { info: info.set_redis_settings(settings), shown })
    }

    /// The host and the port.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    pub(crate) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }

    /// Connects, says a word on a channel of its own, and hears it.
    ///
    /// # Errors
    /// What the bus would be told, too.
    pub async fn examine(&self) -> Result<Found, LinkError> {
        let (mut connection, mut pushed) = connect(self).await?;
        // Whoever may only do what the bus does is not told it.
        let info: Option<String> = redis::cmd("INFO").arg("server").query_async(&mut connection).await.ok();
        let channel = format!("guildhall:doctor:{}", NodeId::new());
        connection.subscribe(&channel).await?;
        let began = Instant::now();
        redis::cmd("PUBLISH").arg(&channel).arg("heard").exec_async(&mut connection).await?;
        let heard = async {
            while let Some(push) = pushed.recv().await {
                if message(push).is_some() {
                    return true;
                }
            }
            false
        };
        match tokio::time::timeout(BACK, heard).await {
            Ok(true) => Ok(Found { version: version(&info.unwrap_or_default()), back: began.elapsed() }),
            Ok(false) => Err(LinkError::Ended),
            Err(_) => Err(LinkError::Deaf),
        }
    }
}

/// What a server says of itself: Valkey names the Redis that it is like, and itself beside it.
fn version(info: &str) -> String {
    let said = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    match (said("valkey_version"), said("redis_version")) {
        (Some(valkey), _) => format!("Valkey {valkey}"),
        (None, Some(redis)) => format!("Redis {redis}"),
        (None, None) => "Redis".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_or_refused_and_hides_its_password() {
        let redis = RedisUrl::parse("redis://anna:pass-word@10.0.0.5/3").unwrap();
        assert_eq!(redis.shown(), "10.0.0.5:6379");
        assert!(!format!("{redis:?} {:?}", redis.info).contains("pass-word"));
        assert_eq!(
            RedisUrl::parse("rediss://:p%40ss@redis.example.com:7000").unwrap().shown(),
            "redis.example.com:7000"
        );
        for bad in [
            "",
            "10.0.0.5:6379",
            "redis://",
            "http://10.0.0.5",
            "unix:///run/redis.sock",
            "redis+unix:///run/redis.sock",
            "redis://h/first",
            "redis://h?protocol=2",
            "rediss://h#insecure",
            "redis://0.0.0.0",
        ] {
            assert!(RedisUrl::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_server_says_what_it_is() {
        assert_eq!(version("# Server\r\nredis_version:7.0.15\r\n"), "Redis 7.0.15");
        assert_eq!(version("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n"), "Valkey 8.1.0");
        assert_eq!(version(""), "Redis");
    }
}
