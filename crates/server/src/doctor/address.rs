//! Where members reach the server: the port, the public address with its certificate, the proxy in front, the pages of services.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use guildhall_types::DateTime;
use ipnet::IpNet;
use reqwest::tls::TlsInfo;
use reqwest::{Response, StatusCode};
use url::Url;

use super::certificate::{self, Whose};
use super::{Level, Line};
use crate::alive;
use crate::auth::origin::is_loopback;
use crate::config::Config;
use crate::folder;
use crate::preview::PreviewUrl;
use crate::problem::chain;

/// What lines on pages of services are about.
const PAGES: &str = "pages of services";
/// How long the look for a name may take.
const NAME: Duration = Duration::from_secs(10);

/// Whether the address can be listened on.
pub(super) fn listening(config: &Config) -> Line {
    let tried = TcpListener::bind(config.listen).map(drop).map_err(|error| error.kind());
    listens(config.listen, tried, folder::is_taken(&config.data_dir))
}

fn listens(address: SocketAddr, tried: Result<(), io::ErrorKind>, running: bool) -> Line {
    const WHAT: &str = "address";
    let fail = |detail| Line::new(Level::Fail, WHAT, detail);
    match (tried, running) {
        (Err(io::ErrorKind::AddrInUse), true) => Line::new(
            Level::Ok,
            WHAT,
            format!("{address} is taken, as it should be: the server of this data folder runs"),
        ),
        (Ok(()), true) if address.port() != 0 => Line::new(
            Level::Warn,
            WHAT,
            format!(
                "the server of this data folder runs, but does not listen on {address}: it was started with other settings than these"
            ),
        ),
        (Ok(()), _) => Line::new(Level::Ok, WHAT, format!("{address} is free")),
        (Err(io::ErrorKind::AddrInUse), false) => fail(format!(
            "another program listens on {address}; `ss -ltnp` names it: stop it, or choose another port with GUILDHALL_LISTEN"
        )),
        (Err(io::ErrorKind::PermissionDenied), _) => fail(format!(
            "only root may listen on {address}; choose a port from 1024 on with GUILDHALL_LISTEN, and let a proxy such as Caddy take 443"
        )),
        (Err(io::ErrorKind::AddrNotAvailable), _) => {
            fail(format!("this machine has no address {}; choose one that it has with GUILDHALL_LISTEN", address.ip()))
        }
        (Err(kind), _) => {
            fail(format!("{address} cannot be listened on ({kind}); choose another with GUILDHALL_LISTEN"))
        }
    }
}

/// The address that members type: whether its name is found, Guildhall answers there, and until when its certificate is good.
pub(super) async fn public(config: &Config, now: DateTime) -> Vec<Line> {
    const WHAT: &str = "public address";
    let Some(url) = &config.public_url else {
        let detail = "not set: members reach the server on this machine alone; for others set GUILDHALL_PUBLIC_URL=https://… and put a proxy with a certificate in front (docs/deploy.md)";
        return vec![Line::new(Level::Ok, WHAT, detail)];
    };
    if url.scheme() == "http" && is_loopback(url) {
        return vec![Line::new(Level::Ok, WHAT, format!("{url} is this machine's own"))];
    }
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Vec::new() };
    let found = tokio::time::timeout(NAME, tokio::net::lookup_host((host.trim_matches(['[', ']']), port))).await;
    if !matches!(found, Ok(Ok(_))) {
        let detail = format!(
            "the name {host} is not found; make a record of type A (and AAAA) at your DNS that leads to this machine, or mend GUILDHALL_PUBLIC_URL"
        );
        return vec![Line::new(Level::Fail, WHAT, detail)];
    }
    let asked = match alive::client() {
        Ok(client) => client.get(format!("{}api/health", with_slash(url))).send().await,
        Err(error) => return vec![Line::new(Level::Warn, WHAT, format!("cannot be tried: {error:#}"))],
    };
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => return vec![unreached(url, &chain(&error))],
    };
    let shown = shown(&answer);
    let status = answer.status();
    let mut lines = vec![answered(url, status, answer.json::<alive::Health>().await.is_ok())];
    lines.extend(shown.map(|der| certificate::told(&der, Whose::House, now)));
    lines
}

/// The certificate that came with an answer.
fn shown(answer: &Response) -> Option<Vec<u8>> {
    answer.extensions().get::<TlsInfo>().and_then(|info| info.peer_certificate().map(<[u8]>::to_vec))
}

fn with_slash(url: &Url) -> String {
    format!("{}/", url.as_str().trim_end_matches('/'))
}

/// Nobody answered, or nobody who can be trusted.
fn unreached(url: &Url, why: &str) -> Line {
    const WHAT: &str = "public address";
    if why.contains("certificate") {
        let detail = format!(
            "{url} shows a certificate that browsers do not trust ({why}); let Caddy get one: the name must lead to this machine, and ports 80 and 443 be reached from outside"
        );
        return Line::new(Level::Fail, WHAT, detail);
    }
    let detail = format!(
        "{url} is not reached from here ({why}); look whether the proxy runs (systemctl status caddy) and the firewall lets ports 80 and 443 in. Some networks do not let a machine reach itself by its public address: then try it from elsewhere"
    );
    Line::new(Level::Warn, WHAT, detail)
}

fn answered(url: &Url, status: StatusCode, health: bool) -> Line {
    const WHAT: &str = "public address";
    match status {
        StatusCode::OK if health => Line::new(Level::Ok, WHAT, format!("Guildhall answers at {url}")),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Line::new(
            Level::Warn,
            WHAT,
            format!(
                "the proxy at {url} does not reach the server ({status}); look whether the server runs, and whether the proxy sends to the address of GUILDHALL_LISTEN"
            ),
        ),
        _ => Line::new(
            Level::Fail,
            WHAT,
            format!(
                "something else than Guildhall answers at {url} ({status}); let the name lead to this machine, and the proxy pass every path on"
            ),
        ),
    }
}

/// Whose word is believed about where requests come from.
pub(super) fn proxies(config: &Config) -> Option<Line> {
    let https = config.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    believed(https, &config.guard.trusted_proxies)
}

fn believed(https: bool, trusted: &[IpNet]) -> Option<Line> {
    const WHAT: &str = "proxy";
    let warn = |detail: String| Some(Line::new(Level::Warn, WHAT, detail));
    let names: Vec<String> = trusted.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    // Whoever sits in such a network and is no proxy can say to be anybody.
    let wide = |network: &&IpNet| network.prefix_len() < if network.addr().is_ipv4() { 16 } else { 48 };
    if let Some(network) = trusted.iter().find(wide) {
        return warn(format!(
            "every machine in {network} is believed about where requests come from; name the proxies' own addresses in GUILDHALL_TRUSTED_PROXIES"
        ));
    }
    match (https, trusted.is_empty()) {
        (false, true) => None,
        (true, true) => warn(
            "members come by https, so a proxy stands in front, and none is trusted: all members share its address in the audit, in lists of sessions, and when sign-ins are slowed down. Set GUILDHALL_TRUSTED_PROXIES to its address (127.0.0.1 when it runs here)".to_owned(),
        ),
        (true, false) => Some(Line::new(Level::Ok, WHAT, format!("{names} is believed, and nobody else"))),
        (false, false) => warn(format!(
            "{names} is trusted as a proxy, but GUILDHALL_PUBLIC_URL is no https:// address; set it, or members cannot sign in through the proxy"
        )),
    }
}

/// Where pages of services are shown. Whether a name leads here cannot be seen from here; whether it leads anywhere, and which
/// certificate is shown there, can.
pub(super) async fn previews(config: &Config, now: DateTime) -> Vec<Line> {
    let local = config.public_url.as_ref().is_none_or(|url| url.scheme() == "http");
    let one = |level, detail: String| vec![Line::new(level, PAGES, detail)];
    let Some(url) = &config.preview_url else {
        return match local {
            true => one(Level::Ok, "are shown on this machine, below localhost".to_owned()),
            false => one(
                Level::Warn,
                "are not shown: let a wildcard name lead to this server and set GUILDHALL_PREVIEW_URL, such as https://*.preview.example.com".to_owned(),
            ),
        };
    };
    let Some((_, at)) = url.secured() else { return one(Level::Ok, format!("are shown under {url}")) };
    let host = at.host_str().unwrap_or_default();
    let found = tokio::time::timeout(NAME, tokio::net::lookup_host((host, 443))).await;
    if !matches!(found, Ok(Ok(_))) {
        return one(
            Level::Warn,
            format!(
                "the name {host} is not found; let a wildcard name lead to this server, or mend GUILDHALL_PREVIEW_URL ({url})"
            ),
        );
    }
    pages(url, &at, now).await
}

/// What a browser meets at one of the names of pages.
async fn pages(url: &PreviewUrl, at: &Url, now: DateTime) -> Vec<Line> {
    let line = |level, detail: String| Line::new(level, PAGES, detail);
    let asked = match alive::client() {
        Ok(client) => client.get(at.clone()).send().await,
        Err(error) => return vec![line(Level::Warn, format!("cannot be tried: {error:#}"))],
    };
    match asked.map_err(|error| chain(&error)) {
        Ok(answer) => {
            let certificate = shown(&answer).map(|der| certificate::told(&der, Whose::Pages, now));
            [line(Level::Ok, format!("are shown under {url}"))].into_iter().chain(certificate).collect()
        }
        Err(why) if why.contains("certificate") => vec![line(
            Level::Fail,
            format!(
                "{url} shows a certificate that browsers do not trust ({why}); it must be one for the wildcard name, and in force: docs/deploy.md, Pages of services, says how to get it and have it renewed"
            ),
        )],
        Err(why) => vec![line(
            Level::Warn,
            format!(
                "{url} is not reached from here ({why}); look whether previews.caddy lies beside the Caddyfile, and what Caddy says of its certificate (journalctl -u caddy)"
            ),
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_ours_or_somebody_elses() {
        let address: SocketAddr = "127.0.0.1:4300".parse().unwrap();
        let level = |tried, running| listens(address, tried, running).level;
        assert_eq!(level(Ok(()), false), Level::Ok);
        assert_eq!(level(Ok(()), true), Level::Warn);
        assert_eq!(level(Err(io::ErrorKind::AddrInUse), true), Level::Ok);
        for kind in [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied, io::ErrorKind::AddrNotAvailable] {
            assert_eq!(level(Err(kind), false), Level::Fail, "{kind}");
        }
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        assert_eq!(listens(any, Ok(()), true).level, Level::Ok);
    }

    #[test]
    fn what_answers_at_the_public_address_is_told_apart() {
        let url = Url::parse("https://guild.example.com").unwrap();
        let level = |status: StatusCode, health| answered(&url, status, health).level;
        assert_eq!(level(StatusCode::OK, true), Level::Ok);
        assert_eq!(level(StatusCode::OK, false), Level::Fail, "a parked domain answers as well");
        assert_eq!(level(StatusCode::NOT_FOUND, false), Level::Fail);
        assert_eq!(level(StatusCode::BAD_GATEWAY, false), Level::Warn, "the server may be stopped just now");
        assert_eq!(unreached(&url, "invalid peer certificate: UnknownIssuer").level, Level::Fail);
        assert_eq!(unreached(&url, "connection refused").level, Level::Warn);
        assert_eq!(with_slash(&url), "https://guild.example.com/");
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_certificate_of_pages_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (key, certificate) = (dir.path().join("key.pem"), dir.path().join("certificate.pem"));
        let mut openssl = tokio::process::Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9"]);
        openssl.args(["-subj", "/CN=localhost", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
        assert!(openssl.stderr(std::process::Stdio::null()).status().await.unwrap().success());
        let url = PreviewUrl::parse("https://*.preview.example.com").unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = Url::parse(&format!("https://127.0.0.1:{port}")).unwrap();
        let told = async || pages(&url, &at, DateTime::UNIX_EPOCH).await.remove(0);
        let line = told().await;
        assert!(line.level == Level::Warn && line.detail.contains("previews.caddy"), "{line:?}");
        let mut server = tokio::process::Command::new("openssl");
        server.args(["s_server", "-quiet", "-www", "-accept", &format!("127.0.0.1:{port}"), "-key"]).arg(key);
        server.arg("-cert").arg(certificate).kill_on_drop(true);
        let _server = server.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        let answered = async {
            loop {
                match told().await {
                    line if line.level == Level::Warn => tokio::time::sleep(Duration::from_millis(30)).await,
                    line => return line,
                }
            }
        };
        let line = tokio::time::timeout(Duration::from_secs(30), answered).await.unwrap();
        assert!(line.level == Level::Fail && line.detail.contains("browsers do not trust"), "{line:?}");
    }

    #[test]
    fn a_proxy_that_is_not_trusted_and_a_network_that_is_are_told() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let level = |https, nets: &[&str]| {
            believed(https, &nets.iter().map(|text| net(text)).collect::<Vec<_>>()).map(|line| line.level)
        };
        assert_eq!(level(false, &[]), None);
        assert_eq!(level(true, &[]), Some(Level::Warn));
        assert_eq!(level(true, &["127.0.0.1/32", "fd00::1/128", "172.30.43.0/24"]), Some(Level::Ok));
        assert_eq!(level(true, &["10.0.0.0/8"]), Some(Level::Warn));
        assert_eq!(level(true, &["fd00::/8"]), Some(Level::Warn));
        assert_eq!(level(false, &["127.0.0.1/32"]), Some(Level::Warn));
    }
}
