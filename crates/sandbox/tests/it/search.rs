//! Finding files and lines.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use guildhall_sandbox::{FileError, GrepQuery, Matches, Workspace};

use crate::harness::Place;

/// A worktree with these files, whose text is their path.
fn tree(files: &[&str]) -> (Place, Workspace) {
    let place = Place::new();
    for path in files {
        let full = place.tree(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, format!("{path}\n")).unwrap();
    }
    let workspace = Workspace::open(&place.room.tree).unwrap();
    (place, workspace)
}

fn sorted(mut paths: Vec<String>) -> Vec<String> {
    paths.sort();
    paths
}

fn query<'a>(pattern: &'a str, under: &'a str, glob: Option<&'a str>) -> GrepQuery<'a> {
    GrepQuery { pattern, under, glob, limit: 100 }
}

fn lines(found: &Matches) -> Vec<String> {
    found.matches.iter().map(|found| format!("{}:{}:{}", found.path, found.line, found.text)).collect()
}

#[test]
fn globs_find_files() {
    let (_place, files) = tree(&[
        "a.rs",
        "src/a.rs",
        "src/b.ts",
        "src/c.tsx",
        "src/deep/a.rs",
        "src/deep/.hidden.rs",
        ".github/ci.yml",
        "x y.md",
        ".git/config",
        "nested/.git/HEAD",
        "nested/n.rs",
    ]);
    for (pattern, under, expected) in [
        ("*.rs", "", vec!["a.rs", "nested/n.rs", "src/a.rs", "src/deep/.hidden.rs", "src/deep/a.rs"]),
        ("**/*.rs", "", vec!["a.rs", "nested/n.rs", "src/a.rs", "src/deep/.hidden.rs", "src/deep/a.rs"]),
        ("src/*.{ts,tsx}", "", vec!["src/b.ts", "src/c.tsx"]),
        ("src/*.rs", "", vec!["src/a.rs"]),
        ("/workspace/src/*.rs", "", vec!["src/a.rs"]),
        ("./src/*.rs", "/workspace", vec!["src/a.rs"]),
        ("deep/*", "src", vec!["src/deep/.hidden.rs", "src/deep/a.rs"]),
        ("a.rs", "src/", vec!["src/a.rs", "src/deep/a.rs"]),
        ("*.rs", "src/a.rs", vec!["src/a.rs"]),
        ("*.ts", "src/a.rs", vec![]),
        ("*.yml", "", vec![".github/ci.yml"]),
        ("x *", "", vec!["x y.md"]),
        ("config", "", vec![]),
        ("HEAD", "", vec![]),
        ("[ab].rs", "", vec!["a.rs", "src/a.rs", "src/deep/a.rs"]),
    ] {
        let found = files.glob(pattern, under, 100).unwrap();
        assert_eq!(sorted(found.paths), expected, "{pattern} under {under:?}");
        assert!(!found.more);
    }
    for bad in ["[a", "{a", "a{b,c"] {
        assert!(matches!(files.glob(bad, "", 10), Err(FileError::Pattern { .. })), "{bad}");
    }
    assert!(matches!(files.glob(&"*a".repeat(5000), "", 10), Err(FileError::Pattern { .. })));
}

#[test]
fn the_latest_changed_comes_first() {
    let names: Vec<String> = (0..30).map(|n| format!("{n}.txt")).collect();
    let (place, files) = tree(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for (n, name) in names.iter().enumerate() {
        let when = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + (n as u64 * 7) % 30);
        fs::File::options().write(true).open(place.tree(name)).unwrap().set_modified(when).unwrap();
    }
    let found = files.glob("*.txt", "", 3).unwrap();
    assert_eq!(found.paths, ["17.txt", "4.txt", "21.txt"]);
    assert!(found.more);
    assert!(!files.glob("*.txt", "", 30).unwrap().more);
    assert_eq!(files.glob("*.txt", "", 0).unwrap().paths, Vec::<String>::new());
}

#[test]
fn what_git_ignores_is_passed_over() {
    let (place, files) = tree(&[
        "target/a.txt",
        "keep/target",
        "a.log",
        "logs/a.log",
        "logs/b.log",
        "logs/sub/b.log",
        "node_modules/x/a.txt",
        "node_modules/x/b.log",
        "sub/build/a.txt",
        "build/a.txt",
        "#1.txt",
        "c.tmp",
    ]);
    fs::write(place.tree(".gitignore"), "\u{feff}target/\n*.log\nnode_modules\n/build\n[bad\n\\#1.txt\n# a comment\n")
        .unwrap();
    fs::write(place.tree("logs/.gitignore"), b"!b.log\n\xff\xfe\n").unwrap();
    fs::write(place.tree("logs/sub/.gitignore"), "*\n").unwrap();
    let expected = [".gitignore", "c.tmp", "keep/target", "logs/.gitignore", "logs/b.log", "sub/build/a.txt"];
    assert_eq!(sorted(files.glob("**", "", 100).unwrap().paths), expected);
    assert_eq!(files.grep(&query("a.log", "", None)).unwrap().matches, []);
    // Who names an ignored folder sees it, and the rules hold below it.
    assert_eq!(files.glob("*", "node_modules/x", 100).unwrap().paths, ["node_modules/x/a.txt"]);
    assert_eq!(lines(&files.grep(&query("log", "a.log", None)).unwrap()), ["a.log:1:a.log"]);
}

#[test]
fn grep_finds_lines() {
    let (place, files) = tree(&["b.rs", "a.rs", "a/x.ts", "a-b.rs"]);
    fs::write(place.tree("text.txt"), "one\r\nTwo three\n\nfour \u{e4}\nno end: two").unwrap();
    fs::write(place.tree("latin.txt"), b"gr\xfc\xdfe two\n").unwrap();
    fs::write(place.tree("utf16.txt"), [0xff, 0xfe, b't', 0, b'w', 0, b'o', 0, b'\n', 0]).unwrap();
    fs::write(place.tree("binary"), b"two\n\0two\n").unwrap();
    fs::write(place.tree("late binary"), [b"two\n", &b"other\n".repeat(100_000)[..], b"\0"].concat()).unwrap();
    let all =
        |pattern: &str, under: &str, glob: Option<&str>| lines(&files.grep(&query(pattern, under, glob)).unwrap());
    assert_eq!(
        all("(?i)two", "", None),
        ["latin.txt:1:gr\u{fffd}\u{fffd}e two", "text.txt:2:Two three", "text.txt:5:no end: two", "utf16.txt:1:two"]
    );
    assert_eq!(all("^one$|^one\\r?$", "text.txt", None), ["text.txt:1:one"]);
    assert_eq!(all(r"\bfour \w$", "", None), ["text.txt:4:four ä"]);
    assert_eq!(all("a", "", Some("*.rs")), ["a-b.rs:1:a-b.rs", "a.rs:1:a.rs"]);
    assert_eq!(all("x", "", Some("a/*.ts")), ["a/x.ts:1:a/x.ts"]);
    assert_eq!(all("x", "a", Some("*.ts")), ["a/x.ts:1:a/x.ts"]);
    assert_eq!(all("x", "/workspace/a", None), ["a/x.ts:1:a/x.ts"]);
    assert_eq!(all("rs$", "", None), ["a-b.rs:1:a-b.rs", "a.rs:1:a.rs", "b.rs:1:b.rs"]);
    for bad in ["(", "a{100000}{100000}", "[z-a]", r"\n", "a\nb", &format!("{}a", "(a|".repeat(3000))] {
        let error = files.grep(&query(bad, "", None)).unwrap_err();
        assert!(matches!(error, FileError::Pattern { .. }), "{bad}: {error}");
    }
    assert!(matches!(files.grep(&query("a", "", Some("[a"))), Err(FileError::Pattern { .. })));
    assert!(matches!(files.grep(&query("a", "absent", None)), Err(FileError::NotFound { .. })));
}

#[test]
fn long_lines_many_matches_and_large_files_are_cut() {
    let (place, files) = tree(&["a.txt"]);
    fs::write(place.tree("long.txt"), format!("needle{}\n", "ä".repeat(100_000))).unwrap();
    let found = files.grep(&query("needle", "", None)).unwrap();
    assert_eq!(found.matches[0].text.chars().count(), 500);
    fs::write(place.tree("many.txt"), "straw\n".repeat(1000)).unwrap();
    let found = files.grep(&GrepQuery { limit: 10, ..query("straw", "", None) }).unwrap();
    assert_eq!((found.matches.len(), found.more), (10, true));
    assert_eq!(found.matches[9].line, 10);
    let found = files.grep(&GrepQuery { limit: 1000, ..query("straw", "", None) }).unwrap();
    assert_eq!((found.matches.len(), found.more), (1000, false));
    fs::write(place.tree("large.txt"), "hay\n".repeat(3 * 1024 * 1024)).unwrap();
    assert_eq!(files.grep(&query("hay", "", None)).unwrap().matches, []);
    // One line of almost ten megabytes.
    fs::write(place.tree("one line.txt"), format!("{}pin", "x".repeat(10_000_000))).unwrap();
    assert_eq!(files.grep(&query("pin$", "", None)).unwrap().matches.len(), 1);
}

#[test]
fn loops_and_odd_names_break_nothing() {
    // 35
    let (place, files) = tree(&["a/real.rs", "new\nline.rs", "tab\t.rs", "-rf.rs", "*.rs", "a'\"$(x).rs"]);
    symlink("..", place.tree("a/up")).unwrap();
    symlink(".", place.tree("here")).unwrap();
    symlink("a", place.tree("also")).unwrap();
    symlink("/etc", place.tree("etc")).unwrap();
    symlink("a/real.rs", place.tree("link.rs")).unwrap();
    symlink(place.at("secret"), place.tree("secret.rs")).unwrap();
    symlink("nowhere", place.tree("dangling.rs")).unwrap();
    let not_utf8: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff.rs");
    fs::write(place.room.tree.join(not_utf8), "real\n").unwrap();
    let expected = ["*.rs", "-rf.rs", "a'\"$(x).rs", "a/real.rs", "link.rs", "new\nline.rs", "tab\t.rs", "\u{fffd}.rs"];
    assert_eq!(sorted(files.glob("*.rs", "", 100).unwrap().paths), expected);
    assert_eq!(lines(&files.grep(&query("real", "", None)).unwrap()), ["a/real.rs:1:a/real.rs", "\u{fffd}.rs:1:real"]);
    assert_eq!(lines(&files.grep(&query("^line", "", None)).unwrap()), ["new\nline.rs:2:line.rs"]);
    assert_eq!(files.glob("real.rs", "also", 10).unwrap().paths, ["a/real.rs"]);
    assert!(matches!(files.glob("*", "etc", 10), Err(FileError::Outside { .. })));
}

#[test]
fn a_flood_of_files_and_folders_is_bounded() {
    // 35; that the number of entries is bounded, the walk's own tests show with fewer of them.
    let (place, files) = tree(&[]);
    fs::create_dir(place.tree("many")).unwrap();
    for n in 0..1200 {
        fs::write(place.tree(&format!("many/{n}")), "").unwrap();
    }
    // A folder in a folder in a folder, deeper than any path can be said.
    let mut at = rustix::fs::open(&place.room.tree, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..2500 {
        rustix::fs::mkdirat(&at, "deep", 0o755.into()).unwrap();
        at = rustix::fs::openat(&at, "deep", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    }
    let found = files.glob("*", "many", 1200).unwrap();
    assert_eq!((found.paths.len(), found.more), (1200, false));
    let found = files.glob("*", "", 100).unwrap();
    assert!(found.more && found.paths.len() == 100);
    let found = files.glob("*", "deep", 100).unwrap();
    assert!(found.more && found.paths.is_empty());
    let found = files.grep(&query("anything", "", None)).unwrap();
    assert!(found.more && found.matches.is_empty());
    // The standard library removes trees by handles, so the deep one goes with the rest.
    fs::remove_dir_all(place.tree("deep")).unwrap();
}
