//! The network of a run, as its commands and as the server see it.

use std::os::unix::fs::PermissionsExt;

use guildhall_sandbox::{Exit, Isolation, Network, Room, Running, Sandbox, SandboxError, Streams};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::harness::{Place, command, patience};

/// A server that says `hello` to everybody, at 127.0.0.1:8000 and, where there is the newer protocol, at ::1:8001.
const GREETER: &str = r#"exec perl -MSocket=:all -e '$| = 1;
    socket(my $s, AF_INET, SOCK_STREAM, 0) or die $!;
    bind($s, pack_sockaddr_in(8000, inet_aton("127.0.0.1"))) or die $!; listen($s, 5) or die $!;
    my $t; if (socket($t, AF_INET6, SOCK_STREAM, 0) && bind($t, pack_sockaddr_in6(8001, inet_pton(AF_INET6, "::1")))) {
        listen($t, 5) or die $!; print "six\n";
        unless (fork) { while (accept(my $c, $t)) { syswrite($c, "hello\n"); close $c } exit }
    }
    print "up\n";
    while (accept(my $c, $s)) { syswrite($c, "hello\n"); close $c }'"#;

/// Starts it. Returns whether it speaks the newer protocol as well.
async fn greeter(place: &Place) -> (Running, bool) {
    let mut running = place.sandbox.start(&place.room, GREETER, Streams::Merged).await.unwrap();
    let mut lines = BufReader::new(running.output.take().unwrap()).lines();
    let mut six = false;
    loop {
        match lines.next_line().await.unwrap().as_deref() {
            Some("six") => six = true,
            Some("up") => return (running, six),
            other => panic!("{other:?}"),
        }
    }
}

/// Runs a test of this program once more, as an ordinary user, where this one is root.
async fn as_an_ordinary_user(test: &str) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut again = tokio::process::Command::new("setpriv");
    again.args(["--reuid", "1000", "--regid", "1000", "--clear-groups", "--"]).arg(&program);
    again.args(["--exact", test, "--nocapture"]).env("HOME", "/tmp").env_remove("TMPDIR").current_dir("/");
    let output = again.output().await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "as an ordinary user: {said}");
}

#[tokio::test]
async fn the_commands_of_a_run_meet_and_the_server_reaches_in() {
    let place = Place::of_a_run().await;
    let (_running, six) = greeter(&place).await;
    assert_eq!(place.says("exec 3<> /dev/tcp/127.0.0.1/8000; cat <&3").await, "hello\n");
    for port in if six { vec![8000, 8001] } else { vec![8000] } {
        let mut said = String::new();
        place.net().connect(port).await.unwrap().read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "hello\n", "{port}");
    }
    // What the server opens in it, commands reach.
    let listener = place.net().listener(3128).await.unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.unwrap();
        stream.write_all(b"heard ").await.unwrap();
        stream.write_all(&heard).await.unwrap();
    });
    assert_eq!(place.says("exec 3<> /dev/tcp/127.0.0.1/3128; echo -n words >&3; cat <&3").await, "heard words");
    serving.await.unwrap();
    // Neither another run nor the host is at the other end of it.
    let other = Place::of_a_run().await;
    let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = own.local_addr().unwrap().port();
    assert!(other.net().connect(8000).await.is_err() && other.net().connect(port).await.is_err());
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", 8000)).await.is_err());
    assert_eq!(other.run("exec 3<> /dev/tcp/127.0.0.1/8000").await.exit, Exit::Code(1));
    let alone = Place::new();
    assert_eq!(alone.run("exec 3<> /dev/tcp/127.0.0.1/8000").await.exit, Exit::Code(1));
    as_an_ordinary_user("net::the_commands_of_a_run_meet_and_the_server_reaches_in").await;
}

#[tokio::test]
async fn a_run_has_no_say_over_its_network() {
    let place = Place::of_a_run().await;
    // Interfaces, addresses, routes, raw packets and low ports are the privilege of whoever owns the network.
    let line = r#"perl -MSocket -e 'sub told { my ($name, $done) = @_; print "$name: ", $done ? "done" : $!, "\n" }
        socket(my $s, AF_INET, SOCK_STREAM, 0) or die $!;
        told("down", ioctl($s, 0x8914, my $a = pack("a16 s x14", "lo", 0)));
        told("address", ioctl($s, 0x8916, my $b = pack("a16 s n a4 x8", "lo", AF_INET, 0, inet_aton("10.0.0.1"))));
        told("bridge", ioctl($s, 0x89a0, my $c = "guild0\0"));
        told("raw", socket(my $r, AF_INET, SOCK_RAW, 1));
        told("port", bind($s, pack_sockaddr_in(80, INADDR_ANY)))'
        (echo 1 > /proc/sys/net/ipv4/ip_forward) 2>&1 | grep -o 'Read-only file system'
        unshare -n true; unshare -rn true; nsenter --net=/proc/self/ns/net true; ls -A /proc/self/fd | wc -l"#;
    let out = place.says(line).await;
    for denied in ["down", "address", "raw"] {
        assert!(out.contains(&format!("{denied}: Operation not permitted")), "{out}");
    }
    assert!(out.contains("port: Permission denied") && !out.contains("done"), "{out}");
    assert!(out.contains("Read-only file system") && out.ends_with("\n4\n"), "{out}");
    assert_eq!(out.matches("unshare failed: Operation not permitted").count(), 2, "{out}");
    assert!(out.contains("nsenter: "), "{out}");
    // It is one for all of its commands, and not the server's.
    let link = "readlink /proc/self/ns/net";
    let (one, two) = (place.says(link).await, place.says(link).await);
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    assert!(one == two && one.starts_with("net:[") && one.trim() != own.to_str().unwrap(), "{one} {two}");
    // All that holds it in place is a number that no command has.
    let users = place.says("readlink /proc/self/ns/user; readlink /proc/1/ns/user").await;
    assert_eq!(users.lines().count(), 2, "{users}");
    as_an_ordinary_user("net::a_run_has_no_say_over_its_network").await;
}

#[tokio::test]
async fn it_goes_when_nobody_holds_it() {
    let mut place = Place::of_a_run().await;
    let net = place.net();
    let released = tokio::spawn(net.released());
    let listener = net.listener(3128).await.unwrap();
    assert!(net.listener(3128).await.is_err(), "a port is taken once");
    let running = place.sandbox.start(&place.room, "sleep 1000", Streams::Merged).await.unwrap();
    drop(net);
    place.room.network = Network::None;
    // A command at work holds it, so that what serves it goes on.
    place.says("true").await;
    assert!(!released.is_finished());
    running.kill().await.unwrap();
    tokio::time::timeout(patience(10), released).await.unwrap().unwrap();
    drop(listener);
}

#[tokio::test]
async fn without_a_sandbox_there_is_no_network_of_a_run() {
    let place = Place::of_a_run().await;
    let without = Sandbox::new(Isolation::None);
    let error = without.net().await.unwrap_err();
    assert!(matches!(&error, SandboxError::Refused { reason } if reason.contains("no network of its own")), "{error}");
    // A room that has one is not run on the host's.
    let error = without.run(&place.room, &command("touch ran"), &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, SandboxError::Refused { .. }) && !place.tree("ran").exists(), "{error}");
    let broken = Sandbox::with_bubblewrap(place.at("absent"));
    assert!(matches!(broken.net().await, Err(SandboxError::Unavailable { .. })));
    let room = Room { network: Network::None, ..place.room.clone() };
    without.run(&room, &command("true"), &mut |_| {}).await.unwrap();
}
