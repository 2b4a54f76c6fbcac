//! The certificate of the public address, as a browser is shown it.

use std::time::Duration;

use guildhall_types::DateTime;
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
    /// From when to when the certificate holds that is shown under the public address, and the host; nothing where that is plain
    /// HTTP. Whoever vouches for it is not asked: a certificate that has ended, or that nobody knows, is looked at as well.
    ///
    /// # Errors
    /// When the address cannot be reached from here.
    pub async fn certificate(&self) -> Result<Option<(String, DateTime, DateTime)>, TeamError> {
        let Ok(url) = self.base.parse::<Url>() else { return Ok(None) };
        let Some(host) = url.host_str().filter(|_| url.scheme() == "https") else { return Ok(None) };
        let seen = look(&url).await;
        let (begins, ends) = seen.map_err(|error| TeamError::internal("looking at the certificate", error))?;
        Ok(Some((host.to_owned(), begins, ends)))
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

    use chrono::Duration as Span;

    use super::*;

    /// Makes a key and a certificate for it that holds for nine days.
    async fn made(dir: &Path) {
        let (key, certificate) = (dir.join("key.pem"), dir.join("certificate.pem"));
        let mut openssl = tokio::process::Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9"]);
        openssl.args(["-subj", "/CN=localhost", "-keyout"]).arg(key).arg("-out").arg(certificate);
        assert!(openssl.stderr(Stdio::null()).status().await.unwrap().success());
    }

    #[tokio::test]
    async fn what_a_server_shows_is_read_whoever_vouches_for_it() {
        let dir = tempfile::tempdir().unwrap();
        made(dir.path()).await;
        // A port that is free now.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url: Url = format!("https://127.0.0.1:{port}").parse().unwrap();
        let unreached = look(&url).await;
        assert!(matches!(unreached, Err(Unseen::Unreached(_))), "{unreached:?}");
        let mut server = tokio::process::Command::new("openssl");
        server.args(["s_server", "-quiet", "-www", "-accept", &format!("127.0.0.1:{port}")]).kill_on_drop(true);
        server.arg("-key").arg(dir.path().join("key.pem")).arg("-cert").arg(dir.path().join("certificate.pem"));
        let _server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let shown = async {
            loop {
                match look(&url).await {
                    Err(Unseen::Unreached(_)) => tokio::time::sleep(Duration::from_millis(30)).await,
                    seen => return seen.unwrap(),
                }
            }
        };
        let (begins, ends) = tokio::time::timeout(Duration::from_secs(30), shown).await.unwrap();
        assert_eq!(ends - begins, Span::days(9));
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        assert_eq!(certificate_holds(b"-----BEGIN CERTIFICATE-----"), None);
    }
}
