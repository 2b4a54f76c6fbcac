//! What an agent tries from inside. The numbers are those of the table of cases that the sandbox must pass.

use std::fs;
use std::os::unix::fs::symlink;

use guildhall_sandbox::{Exit, SandboxError};

use crate::harness::{Place, command};

/// Perl makes any system call by its number; it is part of every Debian.
fn calls(calls: &[(&str, i64, &str)]) -> String {
    let calls: Vec<String> = calls
        .iter()
        .map(|(name, number, arguments)| {
            format!("$! = 0; syscall({number}, {arguments}); print \"{name} \", $! + 0, \"\\n\";")
        })
        .collect();
    format!("perl -e '{}'", calls.join(" "))
}

#[tokio::test]
async fn nothing_of_the_host_exists() {
    // 1, 2, 5
    let place = Place::of_a_run().await;
    let hidden =
        [place.at("secret"), place.at("other/tree/theirs"), place.at("run"), "/root".into(), "/etc/shadow".into()];
    for path in hidden {
        let line = format!("ls -d {}", path.display());
        let out = place.run(&line).await;
        assert_eq!(out.exit, Exit::Code(2), "{}", out.output);
        assert!(out.output.contains("No such file"), "{}", out.output);
    }
    let out = place.says("ls -a /workspace/../..; ls -a .. | grep -x workspace; ls /run /home /var /tmp").await;
    for foreign in ["root\n", "boot", "srv", "mnt", "opt", "sys\n", "secret", "other"] {
        assert!(!out.contains(foreign), "{foreign} in {out}");
    }
    assert!(place.says("cat /proc/self/mountinfo | wc -l").await.trim().parse::<u32>().unwrap() > 5);
}

#[tokio::test]
async fn commands_step_back_behind_the_server() {
    let place = Place::of_a_run().await;
    let own = rustix::process::getpriority_process(None).unwrap();
    let theirs = place.says("nice -n -1 nice 2> /dev/null").await;
    assert_eq!(theirs.trim(), (own + 10).min(19).to_string(), "and they cannot step forward again");
}

#[tokio::test]
async fn proc_shows_the_sandbox_alone() {
    // 3, 16, 17
    let place = Place::of_a_run().await;
    let out =
        place.says("ls /proc/1/root/; ls /proc/1/root/workspace/.. ; tr '\\0' '\\n' < /proc/1/environ | wc -l").await;
    assert!(out.contains("workspace") && !out.contains("boot") && out.ends_with("\n0\n"), "{out}");
    let own = std::process::id();
    let line = format!("ls -d /proc/{own}; for p in /proc/[0-9]*; do cat $p/comm; done 2> /dev/null | sort -u");
    let out = place.says(&line).await;
    assert!(out.contains("cannot access"), "{out}");
    let strangers: Vec<&str> =
        out.lines().skip(1).filter(|name| !["bash", "bwrap", "cat", "sort"].contains(name)).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    for file in [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger",
        "/proc/self/oom_score_adj",
        "/proc/sys/kernel/hostname",
        "/proc/mtrr",
        "/proc/self/uid_map",
        "/proc/self/comm",
        "/sys/power/state",
    ] {
        let out = place.run(&format!("echo -1000 > {file}")).await;
        assert_eq!(out.exit, Exit::Code(1), "{file}: {}", out.output);
    }
    let out = place.says("renice -n -20 $$; ulimit -c; ulimit -c unlimited; ulimit -n 1000000; dmesg").await;
    assert!(!out.contains("new priority -20"), "{out}");
    assert!(out.contains("\n0\n") && out.matches("cannot modify limit").count() == 2, "{out}");
}

#[tokio::test]
async fn no_descriptor_is_inherited() {
    // 4: neither one that is closed at exec, nor one that is not.
    let place = Place::of_a_run().await;
    let kept = fs::File::open(place.at("secret")).unwrap();
    let leaky = rustix::fs::open(place.at("."), rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    let out = place.says("ls -l /proc/self/fd /proc/1/fd 2>&1 | awk '$10 {print $9, $10, $11}'").await;
    assert!(!out.contains("secret") && !out.contains(&place.at(".").display().to_string()), "{out}");
    let line = "perl -e 'for (0 .. 65535) { print \"$_ \" if open(my $f, \"<&=\", $_) }'";
    assert_eq!(place.says(line).await, "0 1 2 ");
    assert_eq!(place.says("ls /proc/self/fd/7/.. 2>&1 | grep -c secret").await, "0\n");
    drop((kept, leaky));
}

#[tokio::test]
async fn a_planted_link_leads_no_mount_out() {
    // 8
    let place = Place::of_a_run().await;
    let out = place.at("");
    for root in ["oldroot", "newroot", "", "../oldroot", "proc/self/root"] {
        let name = format!("sub-{}", root.replace(['/', '.'], "_"));
        let target = format!("/{root}{}/made", out.display());
        place
            .run(&format!("ln -s {target} {name}; ln -s {target} /run/git/{name}; rm -f .git; ln -s {target} .git"))
            .await;
    }
    // The git folder's and the tree's own insides are replaced by links as well.
    let names = "tmp home workspace run git objects proc dev .cargo";
    let line = format!(
        "for n in {names}; do ln -s /oldroot{0}/made $n; ln -s /oldroot{0}/made /run/git/$n; done",
        out.display()
    );
    place.run(&line).await;
    assert_eq!(place.run("true").await.exit, Exit::Code(0));
    assert_eq!(place.run("ls -la; touch tmp/x sub-oldroot/x").await.exit, Exit::Code(1));
    assert!(!place.at("made").exists());
    let mut names: Vec<_> = fs::read_dir(place.at("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["objects", "other", "run", "secret"]);
}

#[tokio::test]
async fn a_link_in_place_of_the_root_is_refused() {
    // 9
    let mut place = Place::of_a_run().await;
    fs::rename(&place.room.tree, place.at("run/moved")).unwrap();
    symlink(place.at("other/tree"), &place.room.tree).unwrap();
    for tree in [place.room.tree.clone(), place.room.tree.join("")] {
        place.room.tree = tree;
        let error = place.try_run(&command("ls")).await.unwrap_err();
        assert!(matches!(&error, SandboxError::Refused { reason } if reason.contains("symbolic link")), "{error}");
        let error = guildhall_sandbox::Workspace::open(&place.room.tree).unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
    }
    for part in ["git", "objects"] {
        let mut place = Place::of_a_run().await;
        symlink(place.at("other"), place.at("link")).unwrap();
        let slot = if part == "git" { &mut place.room.git } else { &mut place.room.objects };
        *slot = Some(place.dir.path().canonicalize().unwrap().join("link"));
        assert!(place.try_run(&command("ls")).await.is_err(), "{part}");
    }
}

#[tokio::test]
async fn no_privilege_is_gained() {
    // 10, 11
    let place = Place::of_a_run().await;
    let out =
        place.says("ln /usr/bin/env env; mknod dev c 1 3; mkfifo pipe && echo piped; chown 0 . ; chroot / true").await;
    assert!(out.contains("nvalid cross-device link") && out.contains("piped"), "{out}");
    assert!(out.contains("mknod: dev: Operation not permitted"), "{out}");
    assert!(out.contains("chroot: cannot"), "{out}");
    let out = place
        .says("cp /usr/bin/id id && chmod 6755 id && ./id -u; grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status")
        .await;
    assert!(out.starts_with("1000\n") && out.contains("NoNewPrivs:\t1") && out.contains("Seccomp:\t2"), "{out}");
    assert_eq!(out.lines().filter(|line| line.starts_with("Cap")).count(), 5, "{out}");
    assert!(out.lines().filter(|line| line.starts_with("Cap")).all(|line| line.ends_with("0000000000000000")), "{out}");
    for line in [
        "mount -t tmpfs x /tmp",
        "mount --bind /usr /tmp",
        "mount -o remount,rw /",
        "umount /proc",
        "unshare -U true",
        "unshare -r true",
        "unshare -m true",
        "unshare -n true",
        "bwrap --ro-bind / / true",
        "bwrap --unshare-user --ro-bind / / true",
        "nsenter -t 1 -m true",
    ] {
        let out = place.run(line).await;
        assert!(!matches!(out.exit, Exit::Code(0 | 127)), "{line}: {:?} {}", out.exit, out.output);
    }
}

#[tokio::test]
async fn the_kernel_refuses_what_no_build_needs() {
    // 11, 12, 14, 15
    let place = Place::of_a_run().await;
    let new_user = libc::CLONE_NEWUSER;
    let eperm = calls(&[
        ("ptrace", libc::SYS_ptrace, "0, 0, 0, 0"),
        ("process_vm_readv", libc::SYS_process_vm_readv, "1, 0, 0, 0, 0, 0"),
        ("io_uring_setup", libc::SYS_io_uring_setup, "1, 0"),
        ("bpf", libc::SYS_bpf, "0, 0, 0"),
        ("perf_event_open", libc::SYS_perf_event_open, "0, 0, 0, 0, 0"),
        ("userfaultfd", libc::SYS_userfaultfd, "0"),
        ("keyctl", libc::SYS_keyctl, "0, 0, 0, 0, 0"),
        ("add_key", libc::SYS_add_key, "0, 0, 0, 0, 0"),
        ("mount", libc::SYS_mount, "0, 0, 0, 0, 0"),
        ("move_mount", libc::SYS_move_mount, "0, 0, 0, 0, 0"),
        ("open_tree", libc::SYS_open_tree, "0, 0, 0"),
        ("fsopen", libc::SYS_fsopen, "0, 0"),
        ("setns", libc::SYS_setns, "0, 0"),
        ("unshare", libc::SYS_unshare, "0"),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, "0, 0, 0"),
        ("clone", libc::SYS_clone, &format!("{}, 0, 0, 0, 0", new_user | libc::SIGCHLD)),
        ("TIOCSTI", libc::SYS_ioctl, "0, 0x5412, 0"),
        ("TIOCSTI with a high bit", libc::SYS_ioctl, "0, 0x100005412, 0"),
        ("TIOCLINUX", libc::SYS_ioctl, "0, 0x541C, 0"),
    ]);
    let out = place.says(&eperm).await;
    assert_eq!(out.lines().count(), 19, "{out}");
    assert!(out.lines().all(|line| line.ends_with(&format!(" {}", libc::EPERM))), "{out}");
    let out = place.says(&calls(&[("clone3", libc::SYS_clone3, "0, 0"), ("x32", 0x4000_0000 + 39, "0")])).await;
    assert_eq!(out, format!("clone3 {0}\nx32 {0}\n", libc::ENOSYS));
    let kinds = [libc::AF_NETLINK, libc::AF_PACKET, libc::AF_VSOCK, libc::AF_ALG, libc::AF_BLUETOOTH];
    let sockets: Vec<String> = kinds.iter().map(|kind| format!("{kind}, 3, 0")).collect();
    let sockets: Vec<(&str, i64, &str)> = sockets.iter().map(|of| ("socket", libc::SYS_socket, of.as_str())).collect();
    let out = place.says(&calls(&sockets)).await;
    assert_eq!(out, format!("socket {}\n", libc::EAFNOSUPPORT).repeat(kinds.len()));
    let pairs = [libc::AF_VSOCK, libc::AF_NETLINK, libc::AF_INET, libc::AF_TIPC].map(|kind| format!("{kind}, 1, 0, 0"));
    let pairs = pairs.each_ref().map(|of| ("socketpair", libc::SYS_socketpair, of.as_str()));
    let out = place.says(&calls(&pairs)).await;
    assert_eq!(out, format!("socketpair {}\n", libc::EAFNOSUPPORT).repeat(pairs.len()));
    // What programs do need is there: threads, processes, sockets of the usual kinds, terminals.
    let line = "perl -MSocket -e 'for (AF_UNIX, AF_INET) { socket(my $s, $_, SOCK_STREAM, 0) or die $!; } socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0) or die $!; print fork ? 1 : 2' \
                && script -qec 'echo in a terminal' /dev/null < /dev/null; mkfifo p; (echo x > p &) ; cat p; sort -u /etc/passwd | wc -l";
    let out = place.says(line).await;
    assert!(out.contains("in a terminal") && out.ends_with("x\n3\n"), "{out}");
}

/// Not a test: a system call as 32-bit programs make it, to be made in a sandbox.
#[cfg(target_arch = "x86_64")]
#[test]
#[ignore = "is started by another test"]
fn as_a_32_bit_program() {
    let unshare: i32 = 310;
    let answer: i32;
    #[expect(unsafe_code, reason = "there is no other way to say it")]
    // SAFETY: the call takes no pointer; at worst the kernel ends this process, which is what is tested.
    unsafe {
        std::arch::asm!("push rbx", "xor ebx, ebx", "int 0x80", "pop rbx", inlateout("eax") unshare => answer);
    }
    println!("answered {answer}");
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn a_32_bit_system_call_ends_its_process() {
    // 13
    let place = Place::of_a_run().await;
    fs::copy(std::env::current_exe().unwrap(), place.tree("program")).unwrap();
    let out = place.run("./program --exact walls::as_a_32_bit_program --ignored --nocapture").await;
    // Killed by the filter, or by a kernel that knows no such calls.
    assert!(matches!(out.exit, Exit::Signal(libc::SIGSYS | libc::SIGSEGV)), "{:?} {}", out.exit, out.output);
    assert!(out.output.contains("running 1 test") && !out.output.contains("answered"), "{}", out.output);
}

#[tokio::test]
async fn only_the_tree_and_the_git_folder_can_be_filled() {
    // 20
    let place = Place::of_a_run().await;
    let out =
        place.says("head -c 600M /dev/zero > /tmp/big; stat -c %s /tmp/big; head -c 600M /dev/zero > ~/big").await;
    assert_eq!(out.matches("No space left on device").count(), 2, "{out}");
    assert!(out.contains(&(512 * 1024 * 1024).to_string()), "{out}");
    let out = place.says("head -c 300M /dev/zero > /dev/shm/big").await;
    assert!(out.contains("No space left on device"), "{out}");
    let folders = "/ /usr /usr/bin /etc /run /home /var /dev /run/objects /lib/";
    let line = format!("for f in {folders}; do (echo x > $f/new-file) 2>&1 | grep -c 'Read-only file system'; done");
    assert_eq!(place.says(&line).await, "1\n".repeat(10));
    let line = "echo x > /etc/passwd; rm /etc/hosts; mkdir /x; mv /home /h; rm -rf --no-preserve-root /usr/bin/env /run/objects";
    let out = place.says(line).await;
    assert_eq!(out.matches("Read-only file system").count() + out.matches("busy").count(), 6, "{out}");
}

#[tokio::test]
async fn a_frozen_room_is_read_and_not_written() {
    let mut place = Place::of_a_run().await;
    place.says("echo kept > file; mkdir folder; echo kept > /run/git/config; ln -s file link; chmod 444 file").await;
    place.room.frozen = true;
    let out = place.says("cat file folder/../file /run/git/config; ls").await;
    assert_eq!(out, "kept\nkept\nkept\nfile\nfolder\nlink\n");
    for line in [
        "echo x > file",
        "echo x > new",
        "echo x >> link",
        "rm -f file",
        "mv file other",
        "mkdir more",
        "rmdir folder",
        "chmod 777 file",
        "touch file",
        "ln file hard",
        "truncate -s 0 file",
        "echo x > folder/new",
        "echo x > /run/git/config",
        "mkdir -p /run/git/hooks",
        "echo x > /proc/self/cwd/file",
        "cd /tmp && ln -s /workspace w && echo x > w/new",
        "mount -o remount,rw /workspace",
        "perl -e 'open(my $f, \"+<\", \"file\") or exit 1'",
    ] {
        let out = place.run(line).await;
        assert!(!matches!(out.exit, Exit::Code(0)), "{line}: {}", out.output);
    }
    assert_eq!(fs::read_to_string(place.tree("file")).unwrap(), "kept\n");
    assert_eq!(fs::read_to_string(place.at("run/git/config")).unwrap(), "kept\n");
    let mut names: Vec<_> = fs::read_dir(place.tree("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["file", "folder", "link"]);
    // What a program needs for itself it has, for as long as it runs.
    let out = place.says("echo a > /tmp/x && echo b > ~/y && echo c > /dev/shm/z && cat /tmp/x ~/y /dev/shm/z").await;
    assert_eq!(out, "a\nb\nc\n");
    assert_eq!(place.says("ls -A /tmp ~ /dev/shm | grep -c '^[xyz]$'").await, "0\n");
    // Where nothing can hold a command back, none is run.
    place.sandbox = guildhall_sandbox::Sandbox::new(guildhall_sandbox::Isolation::None);
    place.room.network = guildhall_sandbox::Network::None;
    let error = place.try_run(&command("touch new")).await.unwrap_err();
    assert!(matches!(&error, SandboxError::Refused { reason } if reason.contains("must not be changed")), "{error}");
    assert!(!place.tree("new").exists());
}

#[tokio::test]
async fn a_file_does_not_grow_without_end() {
    let place = Place::of_a_run().await;
    let out = place.run("truncate -s 9G big").await;
    assert!(
        out.exit != Exit::Code(0) && !place.tree("big").metadata().is_ok_and(|meta| meta.len() > 0),
        "{}",
        out.output
    );
}

#[tokio::test]
async fn killing_everything_kills_its_own_alone() {
    // 22
    let place = Place::of_a_run().await;
    let marked = place.sandbox.clone();
    let room = place.room.clone();
    let other = tokio::spawn(async move {
        marked.run(&room, &command("until [[ -e done ]]; do sleep 0.02; done; echo alive"), &mut |_| {}).await.unwrap()
    });
    let out = place.run("trap '' TERM; sleep 100 & kill -9 -1; echo still here; jobs").await;
    assert!(out.output.contains("still here"), "{}", out.output);
    place.run("touch done").await;
    assert_eq!(other.await.unwrap().output, "alive\n");
}

#[tokio::test]
async fn there_is_no_network() {
    // 26, 27
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let outside = [("127.0.0.1", port), ("169.254.169.254", 80), ("1.1.1.1", 53), ("10.0.0.1", 80)];
    let tries: Vec<String> =
        outside.iter().map(|(host, port)| format!("(exec 3<> /dev/tcp/{host}/{port}) && echo reached")).collect();
    let tries = tries.join("; ");
    let name = format!("guildhall-test-{}", std::process::id());
    let address =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    // Whether a command has a network of its own or shares that of its run.
    for place in [Place::new(), Place::of_a_run().await] {
        let out = place.says(&tries).await;
        for (host, port) in outside {
            let why = out.lines().find(|line| line.contains(&format!("/dev/tcp/{host}/{port}"))).unwrap_or(&out);
            assert!(why.contains("refused") || why.contains("unreachable"), "{host}: {out}");
        }
        assert!(!out.contains("reached\n"), "{out}");
        let out = place.says("getent hosts example.com || echo none; tail -n +3 /proc/net/dev | cut -d: -f1").await;
        assert_eq!(out.split_whitespace().collect::<Vec<_>>(), ["none", "lo"]);
        let line = format!(
            "perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, pack_sockaddr_un(\"\\0{name}\")) or print $!'"
        );
        assert_eq!(place.says(&line).await, "Connection refused");
    }
}
