//! `guildhall knowledge`, as an operator uses it beside a running server.

use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::TestApp;
use crate::program::{guildhall, run};

fn file(kind: &str, title: &str, text: &str) -> String {
    format!("---\nkind: {kind}\ntitle: {title}\n---\n\n{text}\n")
}

#[tokio::test]
async fn a_folder_comes_in_is_found_and_goes_out_again() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    let email = olga.get("/api/auth/me").await.is(StatusCode::OK)["email"].as_str().unwrap().to_owned();
    let read_only = viewer.get("/api/auth/me").await.is(StatusCode::OK)["email"].as_str().unwrap().to_owned();
    let ask = async |arguments: &[&str]| run(guildhall(app.dir.path()).arg("knowledge").args(arguments)).await;
    let desk = tempfile::tempdir().unwrap();
    let folder = desk.path().join("notes");
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    std::fs::create_dir_all(folder.join(".git")).unwrap();
    std::fs::write(folder.join("quinces.md"), file("entry", "Quinces", "They ripen late, after the frost.")).unwrap();
    std::fs::write(folder.join("deep/medlars.md"), file("learning", "Medlars", "Lay them in straw.")).unwrap();
    std::fs::write(folder.join("deep/other.txt"), "no Markdown").unwrap();
    std::fs::write(folder.join(".git/hidden.md"), "not for the hub").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.join("link.md")).unwrap();
    let notes = folder.to_str().unwrap();

    // Who may not write is told so, and a trial run writes nothing.
    for (who, why) in [("nobody@example.com", "no member has"), (read_only.as_str(), "name another member")] {
        let (code, _, err) = ask(&["import", notes, "--as", who]).await;
        assert!(code == Some(1) && err.contains(why), "{err}");
    }
    let (code, out, err) = ask(&["import", notes, "--as", &email, "--dry-run"]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("would be written: entry Quinces") && out.contains("Nothing was written"), "{out}");
    assert!(olga.get("/api/knowledge/search").await.is(StatusCode::OK)["items"].as_array().unwrap().is_empty());

    let (code, out, err) = ask(&["import", notes, "--as", &email]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("2 written, 0 changed, 0 say what the hub says already, 0 passed over"), "{out}");
    let found = olga.get("/api/knowledge/search?q=straw").await.is(StatusCode::OK)["items"][0].clone();
    assert_eq!((&found["title"], &found["review"]), (&json!("Medlars"), &json!("accepted")));
    let audit = olga.get("/api/audit?object=knowledge").await.is(StatusCode::OK)["items"][0].clone();
    assert_eq!(
        (&audit["memberId"], &audit["userAgent"]),
        (&json!(olga.id().await), &json!("guildhall knowledge import"))
    );

    // A second time the hub says it already, which is told.
    let (code, out, _) = ask(&["import", notes, "--as", &email]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("passed over: quinces.md, since the hub says much the same in: entry Quinces"), "{out}");
    // A secret keeps all of them out, and is not repeated.
    let key = format!("ghp_{}", "q2m8d1rTHqT5kdrY2HmuCkuYv205dC8TvvT8");
    std::fs::write(folder.join("secret.md"), file("entry", "Clone", &format!("First.\nUse {key} for it."))).unwrap();
    let (code, out, err) = ask(&["import", notes, "--as", &email, "--anyway"]).await;
    assert!(
        code == Some(1) && err.contains("nothing was written") && err.contains("secret.md: content: line 2"),
        "{err}"
    );
    assert!(!format!("{out}{err}").contains(&key));
    let (code, _, err) = ask(&["import", folder.join("deep/other.txt").to_str().unwrap(), "--as", &email]).await;
    assert!(code == Some(1) && err.contains("neither a folder"), "{err}");

    let (code, out, _) = ask(&["search", "quinzes", "--limit", "1"]).await;
    assert!(code == Some(0) && out.contains("Quinces  (entry)") && out.contains("after the frost"), "{out}");
    let (code, out, _) = ask(&["search", "--json", "--kind", "learning", "straw"]).await;
    let hit: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(code == Some(0) && hit["title"] == "Medlars", "{out}");
    assert_eq!(ask(&["search", "zzzzz"]).await.0, Some(1));

    // Out as a folder, changed by hand, and in again under its id; out as an archive, and in as that.
    let out_to = desk.path().join("out");
    let (code, out, err) = ask(&["export", out_to.to_str().unwrap(), "--kind", "entry"]).await;
    assert!(code == Some(0) && out.contains("Wrote 1 files"), "{out}{err}");
    let path = std::fs::read_dir(out_to.join("entries")).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("after the frost", "in October")).unwrap();
    let (code, out, err) = ask(&["import", path.to_str().unwrap(), "--as", &email]).await;
    assert!(code == Some(0) && out.contains("changed: entry Quinces"), "{out}{err}");
    let (code, archive, err) = ask(&["export", "-"]).await;
    assert!(code == Some(0) && archive.contains("in October"), "{err}");
    let tar = desk.path().join("hub.tar");
    std::fs::write(&tar, archive).unwrap();
    let (code, out, err) = ask(&["import", tar.to_str().unwrap(), "--as", &email]).await;
    assert!(code == Some(0) && out.contains("2 say what the hub says already"), "{out}{err}");

    // An item that was renamed has one file again, and two files of one item do not come in.
    let renamed = std::fs::read_to_string(&path).unwrap().replace("Quinces", "Medlars and quinces");
    let other = path.with_file_name("other.md");
    std::fs::write(&other, renamed).unwrap();
    let entries = out_to.join("entries");
    let (code, _, err) = ask(&["import", entries.to_str().unwrap(), "--as", &email]).await;
    assert!(code == Some(1) && err.contains("it has the id of other.md"), "{err}");
    let (code, out, err) = ask(&["import", other.to_str().unwrap(), "--as", &email]).await;
    assert!(code == Some(0) && out.contains("changed: entry Medlars and quinces"), "{out}{err}");
    std::fs::remove_file(&other).unwrap();
    let (code, _, err) = ask(&["export", out_to.to_str().unwrap(), "--kind", "entry"]).await;
    let left: Vec<_> = std::fs::read_dir(&entries).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        code == Some(0) && left.len() == 1 && left[0].to_str().unwrap().starts_with("medlars-and-"),
        "{left:?}{err}"
    );

    // Two files that say the same are one item.
    let twice = desk.path().join("twice");
    std::fs::create_dir(&twice).unwrap();
    for name in ["one.md", "two.md"] {
        std::fs::write(twice.join(name), file("entry", "Pears", "They are picked while they are hard.")).unwrap();
    }
    let (code, out, _) = ask(&["import", twice.to_str().unwrap(), "--as", &email]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("1 written"), "{out}");
    assert!(out.contains("passed over: two.md, since the hub says much the same in: entry Pears"), "{out}");
}
