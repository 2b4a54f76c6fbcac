//! The world outside, as far as commands are led to it: how names are resolved, and which addresses may be called.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use guildhall_types::address::plain;
use guildhall_types::network::is_reachable;

/// How long the addresses of this machine are taken for what they were.
const LATELY: Duration = Duration::from_secs(5);

/// Resolves names.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// The addresses of a host, to be called at `port`.
    ///
    /// # Errors
    /// When it has none, or nobody answers.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// How commands reach the world outside.
#[derive(Clone)]
pub struct Outside {
    /// Resolves the names that they ask for.
    pub resolver: Arc<dyn Resolve>,
    /// Whether an address may be called.
    pub admits: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl Default for Outside {
    fn default() -> Self {
        Self::without(|_| false)
    }
}

impl Outside {
    /// The world as this host reaches it, without the addresses for which `named` holds: those of the machine that cannot be found here,
    /// such as the host's of a container.
    pub fn without(named: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        let admits = move |address| is_reachable(address) && !is_own(address) && !named(plain(address));
        Self { resolver: Arc::new(OfTheHost), admits: Arc::new(admits) }
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").finish_non_exhaustive()
    }
}

/// Whether an address is this machine's own, whatever it looks like: what listens there may be meant for itself, and a
/// firewall outside sees nothing of such a call.
fn is_own(address: IpAddr) -> bool {
    let address = plain(address);
    // An address of documentation, which no machine has: where it can be taken, every address can, and it says nothing.
    let nowhere: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let taken = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
    of_late().contains(&address) || taken(address) && !taken(nowhere)
}

/// The same as they were a moment ago: on a host of many containers or routes the kernel's list is long.
fn of_late() -> Arc<[IpAddr]> {
    static LATE: Mutex<Option<(Instant, Arc<[IpAddr]>)>> = Mutex::new(None);
    let mut late = LATE.lock().unwrap_or_else(PoisonError::into_inner);
    match &*late {
        Some((at, all)) if at.elapsed() < LATELY => Arc::clone(all),
        _ => {
            let all: Arc<[IpAddr]> = of_interfaces().into();
            *late = Some((Instant::now(), Arc::clone(&all)));
            all
        }
    }
}

/// The addresses of this machine's interfaces, as the kernel lists them. Blocks, briefly.
fn of_interfaces() -> Vec<IpAddr> {
    let mut all = Vec::new();
    let mut address = None;
    for line in std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default().lines().map(str::trim) {
        match line.strip_prefix("|-- ") {
            Some(text) => address = text.parse().ok().map(IpAddr::V4),
            None if line.starts_with("/32 host LOCAL") => all.extend(address),
            None => {}
        }
    }
    let newer = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let digits = newer.lines().filter_map(|line| line.split_whitespace().next());
    let addresses = digits.filter_map(|digits| u128::from_str_radix(digits, 16).ok()).map(Ipv6Addr::from);
    all.extend(addresses.map(IpAddr::V6));
    all
}

/// As the host resolves names.
struct OfTheHost;

#[async_trait]
impl Resolve for OfTheHost {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_answers_at_is_not_outside() {
        let own = |text: &str| is_own(text.parse().unwrap());
        assert!(own("127.0.0.1") && own("127.9.9.9"));
        for wrapped in ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1"] {
            assert!(own(wrapped), "{wrapped}");
        }
        assert!(!own("1.1.1.1") && !own("2606:4700::1111"));
        // Each address of an interface is one, also where it is a public one.
        let interfaces = of_interfaces();
        assert!(interfaces.contains(&Ipv4Addr::LOCALHOST.into()), "{interfaces:?}");
        assert!(interfaces.into_iter().all(is_own));
        // And what the operator names, however it is written.
        let named: IpAddr = Ipv4Addr::new(1, 1, 1, 1).into();
        let admits = Outside::without(move |address| address == named).admits;
        assert!(
            !admits(named) && !admits("::ffff:1.1.1.1".parse().unwrap()) && admits(Ipv4Addr::new(1, 0, 0, 1).into())
        );
        let admits = Outside::default().admits;
        assert!(!admits(Ipv4Addr::LOCALHOST.into()) && admits(Ipv4Addr::new(1, 1, 1, 1).into()));
    }
}
