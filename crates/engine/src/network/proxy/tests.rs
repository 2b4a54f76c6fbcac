//! The proxy, with a resolver and a world of the test's own.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;

use guildhall_types::network::{NetworkSettings, is_reachable};

use super::super::outside::Resolve;
use super::*;

/// Names of the test's world.
struct World {
    names: Mutex<HashMap<String, Vec<SocketAddr>>>,
    /// Names that were resolved, in order.
    asked: Mutex<Vec<String>>,
    /// What names below `slow.example` wait for, and how many of them wait now and did at most.
    gate: Semaphore,
    waiting: Mutex<(usize, usize)>,
}

#[async_trait]
impl Resolve for World {
    async fn resolve(&self, host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.lock().unwrap().push(host.to_owned());
        if host.ends_with("slow.example") {
            {
                let mut waiting = self.waiting.lock().unwrap();
                waiting.0 += 1;
                waiting.1 = waiting.0.max(waiting.1);
            }
            self.gate.acquire().await.unwrap().forget();
            self.waiting.lock().unwrap().0 -= 1;
        }
        let found = self.names.lock().unwrap().get(host).cloned();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

struct Rules {
    rules: Mutex<Option<NetworkSettings>>,
    refused: Mutex<Vec<(String, u16)>>,
}

#[async_trait]
impl Door for Rules {
    async fn rules(&self) -> Option<Arc<NetworkRules>> {
        self.rules.lock().unwrap().as_ref().map(|settings| Arc::new(NetworkRules::of(settings)))
    }

    fn refused(&self, host: HostName, port: u16) {
        self.refused.lock().unwrap().push((host.to_string(), port));
    }
}

/// A proxy at work.
struct Stand {
    at: SocketAddr,
    world: Arc<World>,
    door: Arc<Rules>,
    _end: tokio::sync::oneshot::Sender<()>,
}

fn loopback(address: IpAddr) -> bool {
    address.is_loopback()
}

impl Stand {
    async fn new(policy: NetworkPolicy, hosts: &[&str], admits: fn(IpAddr) -> bool) -> Self {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        let rules = Mutex::new(Some(NetworkSettings { policy, registries: false, hosts }));
        let door = Arc::new(Rules { rules, refused: Mutex::default() });
        let (names, asked, waiting) = Default::default();
        let world = Arc::new(World { names, asked, gate: Semaphore::new(0), waiting });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (_end, ended) = tokio::sync::oneshot::channel();
        let outside = Outside { resolver: world.clone(), admits: Arc::new(admits) };
        let serving = serve(listener, door.clone(), outside, async move {
            let _ = ended.await;
        });
        tokio::spawn(serving);
        Self { at, world, door, _end }
    }

    /// A proxy whose world is on this machine.
    async fn at_home(hosts: &[&str]) -> Self {
        Self::new(NetworkPolicy::AllowList, hosts, loopback).await
    }

    fn name(&self, host: &str, addresses: &[SocketAddr]) {
        self.world.names.lock().unwrap().insert(host.to_owned(), addresses.to_vec());
    }

    /// What comes back when this is said, until the connection ends.
    async fn says(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        timeout(Duration::from_secs(20), stream.read_to_end(&mut all)).await.unwrap().unwrap();
        String::from_utf8_lossy(&all).into_owned()
    }

    async fn status(&self, text: &str) -> u16 {
        let said = self.says(text).await;
        said.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{said}"))
    }
}

/// A host that takes one connection after the other, keeps what it hears until the head and `body` bytes are there, and
/// answers with this. Returns where it is, and what it heard.
async fn host(answer: &'static str, body: usize) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let all = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = Vec::new();
            let mut chunk = [0; 1024];
            loop {
                let count = stream.read(&mut chunk).await.unwrap_or_default();
                text.extend_from_slice(&chunk[..count]);
                let end = text.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
                if count == 0 || end.is_some_and(|end| text.len() >= end + body) {
                    break;
                }
            }
            all.lock().unwrap().push(String::from_utf8_lossy(&text).into_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (at, heard)
}

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\nKeep-Alive: 9\r\n\r\nhello";

#[tokio::test]
async fn an_allowed_host_is_reached_by_both_ways_and_no_other() {
    let stand = Stand::at_home(&["allowed.example", "*.below.example:8443"]).await;
    let (at, heard) = host(HELLO, 0).await;
    for name in ["allowed.example", "a.below.example", "other.example"] {
        stand.name(name, &[at]);
    }
    let said = stand.says("GET http://allowed.example/x HTTP/1.1\r\nHost: allowed.example\r\n\r\n").await;
    assert_eq!(said, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    assert_eq!(heard.lock().unwrap()[0], "GET /x HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n");
    // What is sent behind a head before the tunnel stands goes through it.
    let said = stand.says("CONNECT allowed.example:443 HTTP/1.1\r\n\r\nGET /early HTTP/1.1\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 200 Connection established\r\n\r\n") && said.ends_with(HELLO), "{said}");
    assert_eq!(heard.lock().unwrap()[1], "GET /early HTTP/1.1\r\n\r\n");
    assert_eq!(stand.status("CONNECT a.below.example:8443 HTTP/1.1\r\n\r\nx\r\n\r\n").await, 200);
    for target in ["other.example:443", "allowed.example:22", "a.below.example:443", "below.example:8443"] {
        let said = stand.says(&format!("CONNECT {target} HTTP/1.1\r\n\r\n")).await;
        assert!(said.starts_with("HTTP/1.1 403 ") && said.contains("Whoever manages projects can allow it"), "{said}");
        assert_eq!(said.matches(target).count(), 2, "{said}");
    }
    let asked = stand.world.asked.lock().unwrap().clone();
    assert_eq!(asked, ["allowed.example", "allowed.example", "a.below.example"], "nobody else was even looked up");
    let refused = stand.door.refused.lock().unwrap().clone();
    assert_eq!(refused.len(), 4);
    assert_eq!(refused[0], ("other.example".to_owned(), 443));
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_and_not_offered_to_be_allowed() {
    let stand = Stand::new(NetworkPolicy::Open, &[], loopback).await;
    for target in ["evil\0.allowed.example", "allowed.example.", "127.0.0.1", "[::1]", "u@allowed.example", "0x7f.1"] {
        assert_eq!(stand.status(&format!("CONNECT {target}:443 HTTP/1.1\r\n\r\n")).await, 403, "{target:?}");
    }
    assert_eq!(stand.status("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await, 400);
    assert_eq!(stand.status("nonsense\r\n\r\n").await, 400);
    let long = format!("GET http://a.example/{} HTTP/1.1\r\n\r\n", "x".repeat(HEAD + 5_000));
    assert_eq!(stand.status(&long).await, 431);
    assert_eq!(stand.status("CONNECT absent.example:443 HTTP/1.1\r\n\r\n").await, 502);
    assert!(stand.door.refused.lock().unwrap().is_empty());
    assert_eq!(*stand.world.asked.lock().unwrap(), ["absent.example"]);
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed() {
    // 30
    let stand = Stand::new(NetworkPolicy::AllowList, &["*.allowed.example"], is_reachable).await;
    let (at, heard) = host(HELLO, 0).await;
    let port = at.port();
    let inside = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "fd00::1", "::ffff:127.0.0.1"];
    for (n, address) in inside.iter().enumerate() {
        let name = format!("h{n}.allowed.example");
        stand.name(&name, &[SocketAddr::new(address.parse().unwrap(), port)]);
        let said = stand.says(&format!("CONNECT {name}:443 HTTP/1.1\r\n\r\n")).await;
        assert!(said.starts_with("HTTP/1.1 403 ") && said.contains("leads into a private network"), "{said}");
    }
    // Nor is one that points both outside and inside: then nobody is called at all.
    let outside: SocketAddr = "1.1.1.1:443".parse().unwrap();
    stand.name("both.allowed.example", &[outside, at]);
    assert_eq!(stand.status("CONNECT both.allowed.example:443 HTTP/1.1\r\n\r\n").await, 403);
    assert!(heard.lock().unwrap().is_empty() && stand.door.refused.lock().unwrap().is_empty());
    // Each request resolves its name once.
    assert_eq!(stand.world.asked.lock().unwrap().len(), inside.len() + 1);
}

#[tokio::test]
async fn names_that_nobody_answers_for_take_no_more_than_their_places() {
    let stand = Stand::at_home(&["*.slow.example"]).await;
    let mut asking = Vec::new();
    for n in 0..LOOKUPS + 4 {
        let mut stream = TcpStream::connect(stand.at).await.unwrap();
        stream.write_all(format!("CONNECT h{n}.slow.example:443 HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
        asking.push(stream);
    }
    while stand.world.waiting.lock().unwrap().0 < LOOKUPS {
        tokio::task::yield_now().await;
    }
    stand.world.gate.add_permits(asking.len());
    for mut stream in asking {
        let mut said = String::new();
        timeout(Duration::from_secs(20), stream.read_to_string(&mut said)).await.unwrap().unwrap();
        assert!(said.contains("has no address"), "{said}");
    }
    assert_eq!(*stand.world.waiting.lock().unwrap(), (0, LOOKUPS));
}

#[tokio::test]
async fn the_rules_hold_as_they_are_at_each_request() {
    let stand = Stand::at_home(&[]).await;
    let (at, _) = host(HELLO, 0).await;
    stand.name("a.example", &[at]);
    let ask = "GET http://a.example/ HTTP/1.1\r\n\r\n";
    assert_eq!(stand.status(ask).await, 403);
    let set = |policy, hosts: &[&str]| {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        *stand.door.rules.lock().unwrap() = Some(NetworkSettings { policy, registries: false, hosts });
    };
    set(NetworkPolicy::AllowList, &["a.example"]);
    assert_eq!(stand.status(ask).await, 200);
    set(NetworkPolicy::None, &["a.example"]);
    assert!(stand.says(ask).await.contains("403 The commands of this project reach no host"));
    set(NetworkPolicy::Open, &[]);
    assert_eq!(stand.status(ask).await, 200);
    *stand.door.rules.lock().unwrap() = None;
    assert_eq!(stand.status(ask).await, 503);
}

#[tokio::test]
async fn a_request_has_one_answer_and_nothing_behind_it_is_passed_on() {
    let stand = Stand::at_home(&["a.example"]).await;
    let second = "GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n";
    let (at, heard) = host(HELLO, 5).await;
    stand.name("a.example", &[at]);
    let said = stand.says(&format!("POST http://a.example/ HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345{second}")).await;
    assert!(said.ends_with("hello"), "{said}");
    let (at, chunked) = host(HELLO, 15).await;
    stand.name("a.example", &[at]);
    let body = "5\r\n12345\r\n0\r\n\r\n";
    let head = "POST http://a.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(stand.says(&format!("{head}{body}{second}")).await.ends_with("hello"));
    for (heard, end) in [(heard, "12345"), (chunked, body)] {
        let heard = heard.lock().unwrap().clone();
        assert!(heard.len() == 1 && heard[0].ends_with(end) && !heard[0].contains("other.example"), "{heard:?}");
    }
    // A body that is none ends the connection.
    let said = stand.says(&format!("{head}nonsense\r\n")).await;
    assert_eq!(said, "");
    assert_eq!(stand.door.refused.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn answers_of_every_kind_come_back_whole() {
    let stand = Stand::at_home(&["a.example"]).await;
    for (answer, expected) in [
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X-Own\r\nX-Own: 1\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        ("HTTP/1.0 200 Fine\r\n\r\nuntil the end", "HTTP/1.0 200 Fine\r\nConnection: close\r\n\r\nuntil the end"),
        ("HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
    ] {
        let (at, _) = host(answer, 0).await;
        stand.name("a.example", &[at]);
        assert_eq!(stand.says("GET http://a.example/ HTTP/1.1\r\n\r\n").await, expected);
    }
    for answer in ["nonsense\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", ""] {
        let (at, _) = host(answer, 0).await;
        stand.name("a.example", &[at]);
        let said = stand.says("GET http://a.example/ HTTP/1.1\r\nUpgrade: x\r\n\r\n").await;
        assert!(said.starts_with("HTTP/1.1 502 The host's answer"), "{said}");
    }
    // Nobody listens there any more.
    let gone = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    stand.name("a.example", &[gone]);
    assert!(
        stand.says("CONNECT a.example:443 HTTP/1.1\r\n\r\n").await.contains("502 a.example:443 takes no connection")
    );
}

#[tokio::test]
async fn more_connections_than_there_may_be_wait_and_all_end_with_the_run() {
    let stand = Stand::at_home(&["a.example"]).await;
    let (at, _) = host(HELLO, 0).await;
    stand.name("a.example", &[at]);
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS {
        silent.push(TcpStream::connect(stand.at).await.unwrap());
    }
    let mut late = TcpStream::connect(stand.at).await.unwrap();
    late.write_all(b"GET http://a.example/ HTTP/1.1\r\n\r\n").await.unwrap();
    let mut all = String::new();
    let early = timeout(Duration::from_millis(300), late.read_to_string(&mut all)).await;
    assert!(early.is_err(), "{all}");
    silent.pop();
    timeout(Duration::from_secs(20), late.read_to_string(&mut all)).await.unwrap().unwrap();
    assert!(all.ends_with("hello"), "{all}");
    let Stand { _end, .. } = stand;
    drop(_end);
    for mut stream in silent {
        let mut rest = Vec::new();
        let ended = timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.unwrap();
        assert!(ended.is_err() || rest.is_empty());
    }
}
