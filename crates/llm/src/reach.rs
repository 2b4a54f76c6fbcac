//! Which addresses a member may make the server call.
//!
//! A member's base URL is a wish for the server to call an address of the member's choice. What a cloud tells of the machine
//! (metadata services) is refused always; the machine itself and the networks it stands in are refused unless the operator
//! allows them. A name is judged by the addresses that it resolves to at the very moment of the connection, and only those
//! are called: a name that changes its mind between a look and the call gains nothing.

use std::net::{IpAddr, SocketAddr};

use guildhall_types::address::{Whereabouts, whereabouts};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// How far a member's base URL may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// The public internet.
    Public,
    /// This machine and its private networks too, but never a cloud's metadata.
    #[default]
    Private,
}

/// An address that a member may not make the server call.
#[derive(Debug, thiserror::Error)]
#[error("{address} {why}")]
pub struct Blocked {
    address: IpAddr,
    why: &'static str,
}

/// What nobody may reach: link-local addresses, where clouds keep what they tell of a machine, and the few others that do so.
const METADATA: &str = "is where clouds keep what a machine may know of itself, or no address of a server; it is never called for a member";
const PRIVATE: &str = "is in a private network or on this machine; the operator can allow that with GUILDHALL_ALLOW_PRIVATE_PROVIDERS=true";

impl Reach {
    /// Whether this address may be called.
    ///
    /// # Errors
    /// [`Blocked`], with what the operator can do.
    pub fn admits(self, address: IpAddr) -> Result<(), Blocked> {
        let why = match whereabouts(address) {
            Whereabouts::Never => METADATA,
            Whereabouts::Within if self == Self::Public => PRIVATE,
            _ => return Ok(()),
        };
        Err(Blocked { address, why })
    }

    /// Whether a URL's host, if it is written as an address, may be called. Names are judged when they are resolved.
    pub(crate) fn admits_host(self, url: &Url) -> Result<(), Blocked> {
        match url.host() {
            Some(Host::Ipv4(v4)) => self.admits(v4.into()),
            Some(Host::Ipv6(v6)) => self.admits(v6.into()),
            _ => Ok(()),
        }
    }
}

/// Resolves names to the addresses that may be called, and to no others.
#[derive(Debug)]
pub(crate) struct Guard(pub(crate) Reach);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut addresses: Vec<SocketAddr> = Vec::new();
            for address in found {
                // One bad address is enough: a name that points at both is up to something.
                reach.admits(address.ip())?;
                addresses.push(address);
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(reach: Reach, address: &str) -> bool {
        reach.admits(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn metadata_is_out_of_reach_however_it_is_written() {
        for address in ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "0.0.0.0"] {
            assert!(!admits(Reach::Private, address) && !admits(Reach::Public, address), "{address}");
        }
    }

    #[test]
    fn private_networks_are_in_reach_only_if_they_are_allowed() {
        for address in ["127.0.0.1", "10.1.2.3", "100.64.0.1", "::1", "fd12::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"] {
            assert!(admits(Reach::Private, address) && !admits(Reach::Public, address), "{address}");
        }
        for address in ["1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(admits(Reach::Public, address), "{address}");
        }
    }

    #[test]
    fn an_address_in_a_url_is_seen_through() {
        for url in
            ["http://169.254.169.254/x", "http://[::ffff:a9fe:a9fe]/", "http://0xa9fea9fe/", "http://2852039166/"]
        {
            assert!(Reach::Private.admits_host(&Url::parse(url).unwrap()).is_err(), "{url}");
        }
        assert!(Reach::Public.admits_host(&Url::parse("https://api.example.com").unwrap()).is_ok());
    }
}
