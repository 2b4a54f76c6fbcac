//! The certificates of the public address and of the pages of services, as a browser is shown them.

use std::time::Duration;

use guildhall_types::DateTime;
use guildhall_types::alert::Certificate;
use reqwest::tls::TlsInfo;
use url::Url;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{Team, TeamError};

/// Until a connection stands, and until there is an answer.
const CONNECT: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(20);

/// Why a certificate could not be looked at.
#[derive(Debug, thiserror::Error)]
enum Unseen {
    #[error("the address cannot be reached")]
    Unreached(#[source] reqwest::Error),
    #[error("it shows no certificate")]
    None,
    #[error("its certificate cannot be read")]
    Unread,
}

impl Team {
    /// The certificates that are shown under the public address and for pages of services, each with its host; none where that
    /// is plain HTTP. Whoever vouches for them is not asked: one that has ended, or that nobody knows, is looked at as well. One
    /// that cannot be reached from here keeps no other from being looked at.
    pub async fn certificates(&self) -> Vec<(String, Result<Certificate, TeamError>)> {
        let mut all = Vec::new();
        for (host, url) in self.shown() {
            let seen = look(&url).await.map(|(begins, ends)| Certificate { host: host.clone(), begins, ends });
            all.push((host, seen.map_err(|error| TeamError::internal("looking at the certificate", error))));
        }
        all
    }

    /// The hosts of these certificates, whether or not they can be looked at.
    pub fn certificate_hosts(&self) -> Vec<String> {
        self.shown().into_iter().map(|(host, _)| host).collect()
    }

    /// The names for which browsers are shown a certificate, and an address of each.
    fn shown(&self) -> Vec<(String, Url)> {
        let public = self.base.parse::<Url>().ok().filter(|url| url.scheme() == "https");
        let public = public.and_then(|url| Some((url.host_str()?.to_owned(), url)));
        public.into_iter().chain(self.pages.as_deref().cloned()).collect()
    }
}

/// Shakes hands, and asks for what everybody may have. Nothing secret is sent.
async fn look(url: &Url) -> Result<(DateTime, DateTime), Unseen> {
    guildhall_llm::ready_tls();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_info(true)
        .tls_danger_accept_invalid_certs(true)
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .build()
        .map_err(Unseen::Unreached)?;
    let mut health = url.clone();
    health.set_path("/api/health");
    let answer = client.get(health).send().await.map_err(Unseen::Unreached)?;
    let shown = answer.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate).ok_or(Unseen::None)?;
    certificate_holds(shown).ok_or(Unseen::Unread)
}

/// From when to when a certificate in DER holds; nothing when it cannot be read.
pub fn certificate_holds(der: &[u8]) -> Option<(DateTime, DateTime)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let at = |seconds| DateTime::from_timestamp(seconds, 0);
    let validity = certificate.validity();
    Some((at(validity.not_before.timestamp())?, at(validity.not_after.timestamp())?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Stdio;
    use std::sync::Arc;

    use guildhall_llm::Client;
    use guildhall_store::Store;
    use guildhall_types::SystemClock;

    use super::*;
    use crate::vault::Vault;
    use crate::{Places, TeamProviders};

    /// A port that nobody listens on now.
    fn free_port() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    /// Shows a certificate that it made itself and that holds for so many days, until it is dropped.
    async fn shows(dir: &Path, days: i64) -> (tokio::process::Child, Url) {
        let (key, certificate) = (dir.join(format!("{days}.key")), dir.join(format!("{days}.pem")));
        let mut openssl = tokio::process::Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days"]);
        openssl.args([&days.to_string(), "-subj", "/CN=localhost", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
        assert!(openssl.stderr(Stdio::null()).status().await.unwrap().success());
        let port = free_port();
        let url: Url = format!("https://127.0.0.1:{port}").parse().unwrap();
        let mut server = tokio::process::Command::new("openssl");
        server.args(["s_server", "-quiet", "-www", "-accept", &format!("127.0.0.1:{port}")]).kill_on_drop(true);
        server.arg("-key").arg(key).arg("-cert").arg(certificate);
        let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let served = async {
            while matches!(look(&url).await, Err(Unseen::Unreached(_))) {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), served).await.unwrap();
        (server, url)
    }

    #[tokio::test]
    async fn what_a_server_shows_is_read_whoever_vouches_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("guildhall.db").display());
        let clock = Arc::new(SystemClock);
        let store = Store::open(&url, clock.clone()).await.unwrap();
        let (vault, _) = Vault::open_or_create(&dir.path().join("key")).unwrap();
        let places = Places::below(dir.path(), Vec::new());
        let team = Team::new(store, clock, vault, places, Client::new().unwrap(), TeamProviders::default());
        assert!(team.clone().at("http://127.0.0.1:4300").certificates().await.is_empty(), "plain HTTP has none");

        let (_house, house) = shows(dir.path(), 9).await;
        let (_pages, pages) = shows(dir.path(), 70).await;
        let team = team.at(house.as_str()).with_pages_at("*.pages.example", pages);
        let days = |seen: Vec<(String, Result<Certificate, TeamError>)>| {
            let one = |seen: Certificate| (seen.host, (seen.ends - seen.begins).num_days());
            seen.into_iter().map(|(_, seen)| seen.ok().map(one)).collect::<Vec<_>>()
        };
        let told = |host: &str, days: i64| Some((host.to_owned(), days));
        assert_eq!(days(team.certificates().await), [told("127.0.0.1", 9), told("*.pages.example", 70)]);
        // One that is away hides no other.
        let away = team.clone().at(&format!("https://127.0.0.1:{}", free_port()));
        assert_eq!(days(away.certificates().await), [None, told("*.pages.example", 70)]);
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        assert_eq!(certificate_holds(b"-----BEGIN CERTIFICATE-----"), None);
    }
}
