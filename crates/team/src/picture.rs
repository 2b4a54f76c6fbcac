//! Pictures of members, as their providers name them.
//!
//! Where a picture is, its owner says in the end. So it is fetched from addresses outside alone: neither from this machine
//! nor from the network that it is in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use guildhall_store::Avatar;
use guildhall_types::MemberId;
use guildhall_types::address::{Whereabouts, whereabouts};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use sha2::{Digest, Sha256};
use url::{Host, Url};

use crate::attachments::media_type;
use crate::oidc::{self, Person};
use crate::{Team, TeamError};

/// Bytes of a picture at most.
const LARGEST: usize = 512 * 1024;
/// Characters of an address at most.
const ADDRESS: usize = 2_000;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
enum NoPicture {
    #[error("its address is not one from which pictures are fetched")]
    Address,
    #[error("it was not there")]
    Unreachable(#[from] reqwest::Error),
    #[error("the answer was {0}")]
    Status(reqwest::StatusCode),
    #[error("it is larger than {LARGEST} bytes")]
    TooLarge,
    #[error("its bytes are neither PNG, JPEG, WebP nor GIF")]
    NoImage,
}

/// Resolves names to addresses outside alone.
struct Outside;

impl Resolve for Outside {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let outside: Vec<SocketAddr> = found.filter(|address| is_outside(address.ip())).collect();
            match outside.is_empty() {
                true => Err("the name leads to no address outside".into()),
                false => Ok(Box::new(outside.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether an address is out in the world.
fn is_outside(ip: IpAddr) -> bool {
    whereabouts(ip) == Whereabouts::Outside
}

fn client(url: &Url, local: bool) -> Result<reqwest::Client, NoPicture> {
    let careful = oidc::careful();
    if local && oidc::is_loopback(url) {
        return Ok(careful.build()?);
    }
    let literal = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(_)) => None,
        None => return Err(NoPicture::Address),
    };
    match literal.is_none_or(is_outside) && url.scheme() == "https" {
        true => Ok(careful.dns_resolver(Arc::new(Outside)).build()?),
        false => Err(NoPicture::Address),
    }
}

async fn fetch(url: &Url, local: bool) -> Result<Avatar, NoPicture> {
    let plain = url.username().is_empty() && url.password().is_none() && url.as_str().len() <= ADDRESS;
    if !plain || !matches!(url.scheme(), "http" | "https") {
        return Err(NoPicture::Address);
    }
    let response = client(url, local)?.get(url.clone()).send().await?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(NoPicture::Status(response.status()));
    }
    let bytes = oidc::bounded(response, LARGEST).await?.ok_or(NoPicture::TooLarge)?;
    let media_type = media_type(&bytes).filter(|kind| kind.starts_with("image/")).ok_or(NoPicture::NoImage)?;
    let version = Sha256::digest(&bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(Avatar { version, media_type: media_type.to_owned(), bytes })
}

impl Team {
    /// Fetches the picture of a member who signed in as this person. That there is none, or none that can be used, keeps
    /// nobody from signing in: it is told to the log.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn bring_picture(&self, member: MemberId, person: &Person) -> Result<bool, TeamError> {
        let Some(url) = &person.picture else { return Ok(false) };
        let local = self.sign_in.of_issuer(&person.issuer).is_some_and(oidc::ProviderSettings::is_local);
        match fetch(url, local).await {
            Ok(avatar) => Ok(self.store.put_avatar(member, &avatar).await?),
            Err(error) => {
                tracing::info!(%member, error = oidc::chain(&error), "a member's picture was not taken");
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_world_outside_is_outside() {
        for ip in ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "8.8.8.8", "64:ff9b::808:808"] {
            assert!(is_outside(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_outside(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn a_picture_comes_by_https_or_from_this_machine_beside_its_provider() {
        guildhall_llm::ready_tls();
        for (url, local, taken) in [
            ("https://pictures.example.com/a.png", false, true),
            ("http://pictures.example.com/a.png", false, false),
            ("http://pictures.example.com/a.png", true, false),
            ("https://127.0.0.1/a.png", false, false),
            ("https://[::1]/a.png", false, false),
            ("https://169.254.169.254/latest/meta-data", true, false),
            ("http://127.0.0.1:9/a.png", false, false),
            ("http://127.0.0.1:9/a.png", true, true),
        ] {
            assert_eq!(client(&Url::parse(url).unwrap(), local).is_ok(), taken, "{url} {local}");
        }
    }
}
