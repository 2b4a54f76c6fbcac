//! Where in the world an address is, as far as its number says: what the server may be made to call depends on it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// Out in the world.
    Outside,
    /// On this machine, in a private network, or nowhere that the world's networks lead to.
    Within,
    /// Where clouds keep what a machine may know of itself, or no address of one server.
    Never,
}

/// Where an address is. An address of the old kind that is wrapped in one of the new kind is where the old one is.
pub fn whereabouts(address: IpAddr) -> Whereabouts {
    match plain(address) {
        IpAddr::V4(v4) if is_never_v4(v4) => Whereabouts::Never,
        IpAddr::V6(v6) if is_never_v6(v6) => Whereabouts::Never,
        IpAddr::V4(v4) if is_within_v4(v4) => Whereabouts::Within,
        IpAddr::V6(v6) if !is_outside_v6(v6) => Whereabouts::Within,
        _ => Whereabouts::Outside,
    }
}

/// The address that is meant: one of the old kind may be wrapped in one of the new.
pub fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let parts = v6.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // ::ffff:a.b.c.d, ::ffff:0:a.b.c.d, and what NAT64 makes of an address.
        [0, 0, 0, 0, 0, 0xffff, a, b] | [0, 0, 0, 0, 0xffff, 0, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] => of(a, b),
        // ::a.b.c.d, but for :: and ::1.
        [0, 0, 0, 0, 0, 0, a, b] if a != 0 || b > 1 => of(a, b),
        // 6to4 carries it behind its prefix.
        [0x2002, a, b, ..] => of(a, b),
        _ => address,
    }
}

fn is_never_v4(v4: Ipv4Addr) -> bool {
    let octets = v4.octets();
    v4.is_link_local()
        || v4.is_multicast()
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

fn is_within_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    v4.is_private()
        || v4.is_loopback()
        || v4.is_documentation()
        // Shared between a carrier's customers; for protocols; for measurements.
        || a == 100 && (64..128).contains(&b)
        || (a, b, c) == (192, 0, 0)
        || a == 198 && (18..20).contains(&b)
}

/// Global unicast; all else is of this machine, of its networks, or of nobody.
fn is_outside_v6(v6: Ipv6Addr) -> bool {
    match v6.segments() {
        // Teredo carries an address that it hides; documentation; benchmarks; identifiers that are no places.
        [0x2001, 0 | 0xdb8 | 2, ..] | [0x2001, 0x10..=0x2f, ..] | [0x3fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(addresses: &[&str], at: Whereabouts) {
        for address in addresses {
            assert_eq!(whereabouts(address.parse().unwrap()), at, "{address}");
        }
    }

    #[test]
    fn what_belongs_to_a_cloud_or_to_nobody_is_known_however_it_is_written() {
        let never = [
            "169.254.169.254",
            "169.254.170.2",
            "::ffff:169.254.169.254",
            "::ffff:0:a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "ff02::1",
            "240.0.0.1",
            "255.255.255.255",
        ];
        all(&never, Whereabouts::Never);
    }

    #[test]
    fn what_is_within_is_not_outside() {
        let within = [
            "127.0.0.1",
            "127.9.9.9",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.9",
            "::1",
            "fd12::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001:db8::1",
            "3fff::1",
            "2001::1",
            "2001:20::1",
            "100::1",
            "4000::1",
        ];
        all(&within, Whereabouts::Within);
        let outside = [
            "1.1.1.1",
            "93.184.216.34",
            "172.32.0.1",
            "100.128.0.1",
            "192.1.0.1",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ];
        all(&outside, Whereabouts::Outside);
    }
}
