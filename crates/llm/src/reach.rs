//! Which addresses a member may make the server call.
//!
//! A member's base URL is a wish for the server to call an address of the member's choice. What a cloud tells of the machine
//! (metadata services) is refused always; the machine itself and the networks it stands in are refused unless the operator
//! allows them. A name is judged by the addresses that it resolves to at the very moment of the connection, and only those
//! are called: a name that changes its mind between a look and the call gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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
pub(crate) struct Blocked {
    address: IpAddr,
    why: &'static str,
}

/// What nobody may reach: link-local addresses, where clouds keep what they tell of a machine, and the few others that do so.
const METADATA: &str = "is where clouds keep what a machine may know of itself, or no address of a server; it is never called for a member";
const PRIVATE: &str = "is in a private network or on this machine; the operator can allow that with GUILDHALL_ALLOW_PRIVATE_PROVIDERS=true";

impl Reach {
    /// Whether this address may be called.
    pub(crate) fn admits(self, address: IpAddr) -> Result<(), Blocked> {
        let plain = plain(address);
        let why = match plain {
            IpAddr::V4(v4) if is_never_v4(v4) => METADATA,
            IpAddr::V6(v6) if is_never_v6(v6) => METADATA,
            IpAddr::V4(v4) if self == Self::Public && is_private_v4(v4) => PRIVATE,
            IpAddr::V6(v6) if self == Self::Public && is_private_v6(v6) => PRIVATE,
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

/// The address that is meant: one of the old kind may be wrapped in one of the new.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let parts = v6.segments();
    let last = || {
        let [.., a, b] = parts;
        let ([a, b], [c, d]) = (a.to_be_bytes(), b.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match parts {
        // ::ffff:a.b.c.d, ::a.b.c.d (but for :: and ::1), and what NAT64 makes of an address.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => last().into(),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => last().into(),
        // 6to4 carries it behind its prefix.
        [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Ipv4Addr::new(a, b, c, d).into()
        }
        _ => address,
    }
}

fn is_never_v4(v4: Ipv4Addr) -> bool {
    let octets = v4.octets();
    v4.is_link_local()
        || v4.is_multicast()
        || v4.is_broadcast()
        || octets[0] == 0
        || octets[0] >= 240
        // Alibaba, Azure and Oracle have theirs elsewhere.
        || matches!(octets, [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192])
}

fn is_never_v6(v6: Ipv6Addr) -> bool {
    let parts = v6.segments();
    // Amazon's is fd00:ec2::254, within the private range.
    v6.is_unspecified() || v6.is_multicast() || parts[0] & 0xffc0 == 0xfe80 || parts[..2] == [0xfd00, 0x0ec2]
}

fn is_private_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    v4.is_private()
        || v4.is_loopback()
        || a == 100 && (64..128).contains(&b)
        || (a, b, c) == (192, 0, 0)
        || a == 198 && (18..20).contains(&b)
}

fn is_private_v6(v6: Ipv6Addr) -> bool {
    let parts = v6.segments();
    // Unique-local addresses, and the site-local ones of old.
    v6.is_loopback() || parts[0] & 0xfe00 == 0xfc00 || parts[0] & 0xffc0 == 0xfec0
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
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(!admits(Reach::Private, address) && !admits(Reach::Public, address), "{address}");
        }
    }

    #[test]
    fn private_networks_are_in_reach_only_if_they_are_allowed() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "fd12::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
        ] {
            assert!(admits(Reach::Private, address) && !admits(Reach::Public, address), "{address}");
        }
        for address in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
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
