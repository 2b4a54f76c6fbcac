//! When a certificate ends.

use guildhall_team::certificate_holds;
use guildhall_types::DateTime;

use super::{Level, Line};

/// What is left of a certificate's life when somebody should look: one part of so many. Caddy and certbot renew when a third
/// is left, so that whatever is below this is not renewed by itself any more.
const LEFT: i32 = 5;

/// Whose a certificate is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose {
    /// The public address's, which Caddy renews by itself.
    House,
    /// That of pages of services: a wildcard's, which somebody else renews.
    Pages,
}

impl Whose {
    fn what(self) -> &'static str {
        match self {
            Self::House => "certificate",
            Self::Pages => "certificate of pages of services",
        }
    }

    fn look(self) -> &'static str {
        match self {
            Self::House => "(Caddy: journalctl -u caddy), and that ports 80 and 443 are reached from outside",
            Self::Pages => {
                "(journalctl -u lego-renew), and whether what it brought is where Caddy reads it and Caddy was told to (docs/deploy.md, Pages of services)"
            }
        }
    }
}

/// What is to be said of a certificate that was shown at `now` and is otherwise good.
pub(super) fn told(der: &[u8], whose: Whose, now: DateTime) -> Line {
    let what = whose.what();
    let Some((from, until)) = certificate_holds(der) else {
        return Line::new(Level::Warn, what, "cannot be read; look at it with: openssl s_client -connect HOST:443");
    };
    let days = (until - now).num_days();
    let until_day = until.format("%Y-%m-%d");
    match until - now < (until - from) / LEFT {
        true => Line::new(
            Level::Warn,
            what,
            format!(
                "ends on {until_day}, in {days} days, and should have been renewed; look at the log of whatever renews it {}",
                whose.look()
            ),
        ),
        false => Line::new(Level::Ok, what, format!("good until {until_day}, {days} days more")),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use chrono::TimeZone;

    use super::*;

    /// Good from 2026-01-01 to 2026-04-01: `openssl ca -selfsign -startdate 20260101000000Z …`.
    const CERTIFICATE: &str = "MIIBHzCBxgIBATAKBggqhkjOPQQDAjAcMRowGAYDVQQDDBFndWlsZC5leGFtcGxlLmNvbTAeFw0yNjAxMDEwMDAwMDBaFw0yNjA0MDEwMDAwMD\
        BaMBwxGjAYBgNVBAMMEWd1aWxkLmV4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpNFDL8t4bz98F2TM0nBsrFyTBv41px/v\
        x7AmBou4h8NmUcPDOX4neLM96I16oLINcPHLZN8SQs6TJinjws2yGzAKBggqhkjOPQQDAgNIADBFAiAVeyOc0cceJs25z7ZEzqc0gMJkO4BNTA\
        wmEhSlzszS9gIhAK9UFGmrAvki19dV393qZ+LIyoayWiVT5eY1gkK/gtLk";

    #[test]
    fn a_certificate_that_nobody_renews_is_told_in_time() {
        let der = base64::engine::general_purpose::STANDARD.decode(CERTIFICATE).unwrap();
        let at = |month, day| chrono::Utc.with_ymd_and_hms(2026, month, day, 12, 0, 0).unwrap();
        let line = told(&der, Whose::House, at(2, 1));
        assert!(line.level == Level::Ok && line.detail.starts_with("good until 2026-04-01, 58 days"), "{line:?}");
        assert_eq!(told(&der, Whose::House, at(3, 10)).level, Level::Ok);
        let line = told(&der, Whose::House, at(3, 20));
        assert!(line.level == Level::Warn && line.detail.starts_with("ends on 2026-04-01, in 11 days"), "{line:?}");
        let line = told(&der, Whose::Pages, at(3, 20));
        assert!(line.level == Level::Warn && line.detail.contains("journalctl -u lego-renew"), "{line:?}");
        assert_eq!(told(b"no certificate", Whose::House, at(2, 1)).level, Level::Warn);
    }
}
