//! What carries hints between the servers of a team.

use guildhall_bus::LinkError;

use super::{Level, Line};
use crate::config::Config;
use crate::problem::chain;

const WHAT: &str = "redis";

/// Says a word by Redis, and hears it.
pub(super) async fn examine(config: &Config) -> Option<Line> {
    let url = config.redis_url.as_ref()?;
    let at = url.shown();
    Some(match url.examine().await {
        Ok(found) => {
            let millis = found.back.as_secs_f64() * 1_000.0;
            Line::new(Level::Ok, WHAT, format!("{} at {at} hands on what is said, in {millis:.1} ms", found.version))
        }
        Err(error) => {
            let hint = match &error {
                LinkError::Deaf => {
                    "Let the user of REDIS_URL publish and subscribe to the channels guildhall:* (ACL: resetchannels &guildhall:* +publish +subscribe)"
                }
                _ => {
                    "Check REDIS_URL, its user and password, that it is Redis 6 or later, or Valkey, and that this machine reaches it; with rediss:// that this machine trusts its certificate"
                }
            };
            let detail = format!(
                "{at}: {}. {hint}. The server runs without it, and hears of others some seconds later",
                chain(&error)
            );
            Line::new(Level::Fail, WHAT, detail)
        }
    })
}
