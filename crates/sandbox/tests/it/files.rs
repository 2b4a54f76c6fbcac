//! Files by the directory handle, and what agents plant in its way.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use guildhall_sandbox::{FileError, GrepQuery, Workspace};

use crate::harness::{Place, command, patience};

/// A short name of an error, for tables.
fn kind<T: std::fmt::Debug>(result: Result<T, FileError>) -> &'static str {
    match result {
        Ok(_) => "fine",
        Err(FileError::NotFound { .. }) => "not found",
        Err(FileError::Outside { .. }) => "outside",
        Err(FileError::NotAFile { .. }) => "not a file",
        Err(FileError::Refused { .. }) => "refused",
        Err(FileError::Pattern { .. }) => "pattern",
        Err(FileError::Io { .. }) => "io",
    }
}

#[test]
fn files_are_written_and_read() {
    let place = Place::new();
    let files = Workspace::open(&place.room.tree).unwrap();
    assert!(files.write("a/b/c.txt", b"one").unwrap());
    assert!(!files.write("/workspace/a/b/c.txt", b"two\xff").unwrap());
    let read = files.read("./a/x/../b/c.txt", 1000).unwrap();
    assert_eq!((read.bytes.as_slice(), read.size), (b"two\xff".as_slice(), 4));
    let read = files.read("a/b/c.txt", 2).unwrap();
    assert_eq!((read.bytes.as_slice(), read.size), (b"tw".as_slice(), 4));
    assert!(files.write("empty", b"").unwrap());
    assert_eq!(files.read("empty", 10).unwrap().size, 0);
    assert!(files.write("with\nbreak 'and\" quotes", b"x").unwrap());
    assert_eq!(files.read("with\nbreak 'and\" quotes", 10).unwrap().bytes, b"x");
    // No half-written file is left behind.
    let names: Vec<_> = fs::read_dir(place.tree("a/b")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["c.txt"]);
}

#[test]
fn writing_keeps_the_mode_and_replaces_the_whole() {
    let place = Place::new();
    let files = Workspace::open(&place.room.tree).unwrap();
    fs::write(place.tree("run.sh"), "old and longer").unwrap();
    fs::set_permissions(place.tree("run.sh"), fs::Permissions::from_mode(0o4755)).unwrap();
    let (before, mut still_open) =
        (place.tree("run.sh").metadata().unwrap(), fs::File::open(place.tree("run.sh")).unwrap());
    files.write("run.sh", b"new").unwrap();
    let after = place.tree("run.sh").metadata().unwrap();
    assert_eq!((after.mode() & 0o7777, after.len()), (0o755, 3), "without the setuid bit");
    assert_ne!(before.ino(), after.ino());
    let mut text = String::new();
    std::io::Read::read_to_string(&mut still_open, &mut text).unwrap();
    assert_eq!(text, "old and longer", "who reads the old one reads it to its end");
    files.write("fresh", b"x").unwrap();
    assert_eq!(place.tree("fresh").metadata().unwrap().mode() & 0o111, 0);
}

#[test]
fn hostile_paths() {
    // 5, 6, 34
    let place = Place::new();
    let tree = &place.room.tree;
    let secret = place.at("secret");
    for folder in ["sub", "real", ".git/hooks"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    fs::write(tree.join("plain"), "plain").unwrap();
    fs::write(tree.join("real/file"), "inner").unwrap();
    fs::write(tree.join(".git/config"), "git").unwrap();
    let link = |target: &str, name: &str| symlink(target, tree.join(name)).unwrap();
    link(secret.to_str().unwrap(), "absolute");
    link("/etc/passwd", "passwd");
    link("/workspace/plain", "in by an absolute path");
    link("../../secret", "climbing");
    link("../../../secret", "sub/climbing");
    link("..", "up");
    link("../../other", "folder out");
    link("/", "host");
    link("/proc/self/root", "magic");
    link("/proc/self/fd/0", "descriptor");
    link("plain", "inside");
    link("real", "folder inside");
    link("sub/../plain", "around");
    link("loop b", "loop a");
    link("loop a", "loop b");
    link("itself", "itself");
    link("nothing", "dangling");
    link("../../nothing", "dangling out");
    link(".git", "to git");
    link(".git/hooks", "to hooks");
    rustix::fs::mknodat(rustix::fs::CWD, tree.join("pipe.rs"), rustix::fs::FileType::Fifo, 0o666.into(), 0).unwrap();
    let device = rustix::fs::mknodat(
        rustix::fs::CWD,
        tree.join("device.rs"),
        rustix::fs::FileType::CharacterDevice,
        0o666.into(),
        rustix::fs::makedev(5, 0),
    );
    let _socket = UnixListener::bind(tree.join("socket.rs")).unwrap();
    link("pipe.rs", "to pipe");
    let files = Workspace::open(tree).unwrap();
    let started = Instant::now();
    for (path, read, write) in [
        ("plain", "fine", "fine"),
        ("inside", "fine", "fine"),
        ("around", "fine", "fine"),
        ("folder inside/file", "fine", "fine"),
        ("folder inside/new/deep", "not found", "fine"),
        ("sub", "not a file", "not a file"),
        ("", "not a file", "not a file"),
        ("/workspace", "not a file", "not a file"),
        ("absent/x", "not found", "fine"),
        ("plain/x", "refused", "refused"),
        ("..", "outside", "outside"),
        ("../../secret", "outside", "outside"),
        ("sub/../../../secret", "outside", "outside"),
        ("/etc/passwd", "outside", "outside"),
        (secret.to_str().unwrap(), "outside", "outside"),
        ("absolute", "outside", "outside"),
        ("passwd", "outside", "outside"),
        ("in by an absolute path", "outside", "outside"),
        ("climbing", "outside", "outside"),
        ("sub/climbing", "outside", "outside"),
        ("up/x", "outside", "outside"),
        ("up/../../secret", "outside", "outside"),
        ("folder out/tree/theirs", "outside", "outside"),
        ("folder out/new", "outside", "outside"),
        ("host/etc/passwd", "outside", "outside"),
        ("magic/etc/passwd", "outside", "outside"),
        ("descriptor", "outside", "outside"),
        ("dangling out", "outside", "outside"),
        ("dangling", "refused", "refused"),
        ("dangling/x", "refused", "refused"),
        ("loop a", "io", "io"),
        ("itself/x", "io", "io"),
        (".git", "refused", "refused"),
        (".git/config", "refused", "refused"),
        ("sub/../.git/config", "refused", "refused"),
        ("to git/config", "refused", "refused"),
        ("to hooks/pre-commit", "refused", "refused"),
        ("to hooks/new/x", "refused", "refused"),
        ("pipe.rs", "not a file", "not a file"),
        ("to pipe", "not a file", "not a file"),
        ("socket.rs", "not a file", "not a file"),
        ("a\0b", "io", "io"),
        (&"x".repeat(300), "io", "io"),
        (&"x/".repeat(3000), "io", "io"),
    ] {
        assert_eq!(kind(files.read(path, 1000)), read, "read {path:?}");
        assert_eq!(kind(files.write(path, b"written")), write, "write {path:?}");
    }
    if device.is_ok() {
        assert_eq!(kind(files.read("device.rs", 1000)), "not a file");
        assert_eq!(kind(files.write("device.rs", b"")), "not a file");
    }
    assert!(started.elapsed() < patience(30));
    // Writing through a link inside writes what it leads to; the link stays.
    assert_eq!(fs::read_to_string(tree.join("plain")).unwrap(), "written");
    assert!(tree.join("inside").is_symlink() && tree.join("folder inside").is_symlink());
    assert_eq!(fs::read_to_string(tree.join("real/new/deep")).unwrap(), "written");
    // The rest is as it was.
    assert_eq!(fs::read_to_string(&secret).unwrap(), "the key");
    assert_eq!(fs::read_to_string(place.at("other/tree/theirs")).unwrap(), "another member's");
    assert_eq!(fs::read_dir(place.at("other")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(tree.join(".git")).unwrap().count(), 2);
    assert_eq!(fs::read_dir(tree.join(".git/hooks")).unwrap().count(), 0);
    for under in ["..", "/etc", "up", "folder out", "host", ".git", "to git", "passwd"] {
        let looked = files.glob("*", under, 10).map(|found| found.paths);
        assert!(["outside", "refused"].contains(&kind(looked)), "glob {under}");
        let query = GrepQuery { pattern: "root", under, glob: None, limit: 10 };
        assert!(["outside", "refused"].contains(&kind(files.grep(&query))), "grep {under}");
    }
    assert_eq!(kind(files.grep(&GrepQuery { pattern: "x", under: "pipe.rs", glob: None, limit: 10 })), "not a file");
    assert_eq!(kind(files.glob("*", "not there", 10)), "not found");
}

#[test]
fn errors_say_what_to_do() {
    let place = Place::new();
    let files = Workspace::open(&place.room.tree).unwrap();
    let told = |path: &str| files.read(path, 10).unwrap_err().to_string();
    assert_eq!(told("a.rs"), "a.rs: there is no such file");
    assert_eq!(told("/etc/passwd"), "/etc/passwd: outside of the workspace; use a path relative to its root");
    assert_eq!(told("."), ".: a folder, not a regular file");
    assert_eq!(told(".git"), ".git: this is git's own; use git in a command instead");
}

#[test]
fn only_a_real_folder_is_opened() {
    let place = Place::new();
    symlink("tree", place.at("run/link")).unwrap();
    assert_eq!(kind(Workspace::open(&place.at("run/link"))), "refused");
    assert_eq!(kind(Workspace::open(&place.at("run/link/"))), "refused");
    assert_eq!(kind(Workspace::open(&place.at("run/absent"))), "not found");
    assert_eq!(kind(Workspace::open(&place.at("secret"))), "refused");
    // A worktree that is swapped later does not change what an open workspace shows.
    let files = Workspace::open(&place.room.tree).unwrap();
    files.write("mine", b"x").unwrap();
    fs::rename(&place.room.tree, place.at("run/old")).unwrap();
    symlink(place.at("other/tree"), &place.room.tree).unwrap();
    assert_eq!(kind(files.read("theirs", 10)), "not found");
    assert_eq!(files.read("mine", 10).unwrap().bytes, b"x");
}

#[test]
fn links_swapped_in_during_a_write_lead_nowhere() {
    // 7
    let place = Place::new();
    let tree = place.room.tree.clone();
    fs::create_dir(place.at("outside")).unwrap();
    fs::write(place.at("outside/file"), "untouched").unwrap();
    fs::create_dir(tree.join("real")).unwrap();
    let stop = AtomicBool::new(false);
    let swap = |name: &str, target: &Path| {
        let (place, link, folder) =
            (tree.join(name), tree.join(format!("{name}.link")), tree.join(format!("{name}.real")));
        while !stop.load(Ordering::Relaxed) {
            let _ = fs::remove_file(&link);
            symlink(target, &link).unwrap();
            // A folder or file, and the next moment a link in its place.
            let _ = fs::rename(&place, &folder);
            let _ = fs::rename(&link, &place);
            let _ = fs::remove_file(&place);
            let _ = fs::rename(&folder, &place);
        }
    };
    fs::create_dir(tree.join("folder")).unwrap();
    fs::write(tree.join("file"), "").unwrap();
    let files = Workspace::open(&tree).unwrap();
    let (outside, inner) = (place.at("outside"), place.at("outside/file"));
    std::thread::scope(|scope| {
        scope.spawn(|| swap("folder", &outside));
        scope.spawn(|| swap("file", &inner));
        let until = Instant::now() + Duration::from_secs(2);
        let mut written = 0;
        while Instant::now() < until {
            written += u32::from(files.write("folder/file", b"the agent's").is_ok());
            written += u32::from(files.write("file", b"the agent's").is_ok());
            for path in ["folder/file", "file"] {
                if let Ok(read) = files.read(path, 100) {
                    assert_ne!(read.bytes, b"untouched");
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(written > 0);
    });
    assert_eq!(fs::read_to_string(&inner).unwrap(), "untouched");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "nothing new outside");
}

#[tokio::test]
async fn a_commands_pipe_named_like_a_source_file_does_not_hang_the_reader() {
    // 34
    let place = Place::new();
    place
        .run("mkfifo main.rs; ln -s main.rs lib.rs; mkdir src; mkfifo src/.gitignore .gitignore; echo found > src/a.rs")
        .await;
    let files = Workspace::open(&place.room.tree).unwrap();
    let started = Instant::now();
    assert_eq!(kind(files.read("main.rs", 10)), "not a file");
    assert_eq!(kind(files.write("lib.rs", b"x")), "not a file");
    assert_eq!(files.glob("*.rs", "", 10).unwrap().paths, ["src/a.rs"]);
    let found = files.grep(&GrepQuery { pattern: "found", under: "", glob: None, limit: 10 }).unwrap();
    assert_eq!(found.matches.len(), 1);
    assert!(started.elapsed() < patience(30));
    // What a command makes and what the tools write is the same, and belongs to the same user.
    files.write("src/tool.rs", b"by a tool\n").unwrap();
    let out =
        place.try_run(&command("cat src/tool.rs; echo more >> src/tool.rs; stat -c %U src/tool.rs")).await.unwrap();
    assert_eq!(out.output, "by a tool\nagent\n");
    assert_eq!(files.read("src/tool.rs", 100).unwrap().bytes, b"by a tool\nmore\n");
}
