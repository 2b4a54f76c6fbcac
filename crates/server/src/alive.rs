//! Asks the server that runs here whether it answers: what the health check of a container calls.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::config::Config;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks, and returns what was found in a sentence.
///
/// # Errors
/// When the server does not answer, or something else does.
pub async fn ask(config: &Config) -> anyhow::Result<String> {
    let address = reached(config.listen);
    if address.port() == 0 {
        bail!("which port the server listens on is not known here: name one with GUILDHALL_LISTEN or --listen");
    }
    let url = format!("http://{address}/api/health");
    let health = health(&client()?, &url).await.with_context(|| {
        format!("no Guildhall answers at {address}; look whether it runs, what its log says, and GUILDHALL_LISTEN")
    })?;
    Ok(format!("Guildhall {} answers at {address}.", health.version))
}

/// A client that asks one server and nobody else: no proxy, no redirect.
///
/// # Errors
/// When TLS cannot be set up.
pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    guildhall_llm::ready_tls();
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    Ok(builder.timeout(PATIENCE).tls_info(true).build()?)
}

/// What a Guildhall says of itself to everybody.
#[derive(Debug, Deserialize)]
pub(crate) struct Health {
    pub(crate) version: String,
}

async fn health(client: &reqwest::Client, url: &str) -> anyhow::Result<Health> {
    let answer = client.get(url).send().await?;
    let status = answer.status();
    if !status.is_success() {
        bail!("it answers {status}");
    }
    answer.json().await.context("it answers something else than its health")
}

/// Where a server that listens on every address is reached from this machine.
fn reached(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_reached_at_the_loopback_one() {
        for (listen, expected) in
            [("0.0.0.0:4300", "127.0.0.1:4300"), ("[::]:4300", "[::1]:4300"), ("10.0.0.7:80", "10.0.0.7:80")]
        {
            assert_eq!(reached(listen.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
