//! Work that is built on work which is not merged yet.

use std::fs;

use guildhall_git::*;

use crate::{Place, git, me, work};

/// Writes files in a worktree that starts from `base`, as a run's agent would.
async fn built(place: &Place, run: &str, base: &Oid, files: &[(&str, &str)]) -> Work {
    let made = place.repo.add_worktree(run, &place.folder(run), &format!("work/{run}"), base).await.unwrap();
    for (path, text) in files {
        fs::write(made.tree().join(path), text).unwrap();
    }
    work(base, &place.snap(&made, base).await)
}

async fn stacked(place: &Place, works: &[Work]) -> Oid {
    let on = match place.repo.stack(&place.base().await, works).await.unwrap() {
        Stacked::On(commit) => Some(commit),
        Stacked::Conflict { .. } => None,
    };
    on.unwrap()
}

async fn merged(place: &Place, work: &Work, subject: &str) {
    let merge = place.repo.merge(work, "main", &format!("{subject}\n"), &me()).await.unwrap();
    assert!(matches!(merge, Merge::Done(_)), "{subject}: {merge:?}");
}

fn at_main(place: &Place, path: &str) -> String {
    git(place.repo.path(), &["show", &format!("main:{path}")])
}

#[tokio::test]
async fn work_on_top_of_other_work_changes_only_what_is_its_own() {
    let place = Place::new().await;
    let main = place.base().await;
    let login = built(&place, "r1", &main, &[("login.txt", "name\nsecret\n")]).await;
    assert_eq!(stacked(&place, std::slice::from_ref(&login)).await, login.head, "nothing else is there");
    // It goes on at the very line that it found.
    let logout = built(&place, "r2", &login.head, &[("login.txt", "name\npassword\n"), ("out.txt", "bye\n")]).await;
    merged(&place, &login, "Log in").await;
    // Something else comes on the branch in between.
    let other = built(&place, "r3", &place.base().await, &[("other.txt", "other\n")]).await;
    merged(&place, &other, "Other").await;
    merged(&place, &logout, "Log out").await;
    assert_eq!(at_main(&place, "login.txt"), "name\npassword");
    assert_eq!(at_main(&place, "other.txt"), "other");
    let changed = git(place.repo.path(), &["show", "--name-only", "--format=%s", "main"]);
    assert_eq!(changed.split_whitespace().collect::<Vec<_>>(), ["Log", "out", "login.txt", "out.txt"]);
    assert_eq!(place.repo.merge(&logout, "main", "Again\n", &me()).await.unwrap(), Merge::Nothing);

    // As auto mode does it: the branch is joined into the work, which then starts from there.
    let late = built(&place, "r4", &logout.head, &[("late.txt", "late\n")]).await;
    let BroughtUp::Joined(joined) = place.repo.bring_up("r4", &late, "main", &me(), false).await.unwrap() else {
        panic!()
    };
    assert_eq!((&joined.base, joined.files.as_slice()), (&place.base().await, &[][..]));
    let stat = place.repo.stat(&joined.base, &joined.commit).await.unwrap();
    assert_eq!((stat.files, stat.additions), (1, 1), "its own");
}

#[tokio::test]
async fn works_are_put_together_on_the_branch_as_it_is() {
    let place = Place::new().await;
    let main = place.base().await;
    let one = built(&place, "r1", &main, &[("one.txt", "1\n")]).await;
    let two = built(&place, "r2", &main, &[("two.txt", "2\n")]).await;
    let on_one = built(&place, "r3", &one.head, &[("one.txt", "1\nand more\n")]).await;
    let all = [one.clone(), on_one.clone(), two.clone()];
    let together = stacked(&place, &all).await;
    let text = |commit: &Oid, path: &str| git(place.repo.path(), &["show", &format!("{commit}:{path}")]);
    assert_eq!((text(&together, "one.txt").as_str(), text(&together, "two.txt").as_str()), ("1\nand more", "2"));
    assert_eq!(stacked(&place, &all).await, together, "it is the same commit again");
    for below in [&main, &one.head, &on_one.head, &two.head] {
        assert!(place.repo.is_ancestor(below, &together).await.unwrap());
    }
    assert_eq!(stacked(&place, &[]).await, main);

    // The first is merged, and the branch moves on: what is built now has both.
    merged(&place, &one, "One").await;
    let other = built(&place, "r4", &place.base().await, &[("other.txt", "other\n")]).await;
    merged(&place, &other, "Other").await;
    let now = stacked(&place, &[on_one.clone(), two.clone()]).await;
    assert_eq!((text(&now, "one.txt").as_str(), text(&now, "other.txt").as_str()), ("1\nand more", "other"));
    assert!(place.repo.is_ancestor(&place.base().await, &now).await.unwrap());
    // What was built on the former state of both is merged in any order.
    let top = built(&place, "r5", &together, &[("top.txt", "top\n"), ("two.txt", "2, seen from the top\n")]).await;
    merged(&place, &two, "Two").await;
    merged(&place, &on_one, "On one").await;
    merged(&place, &top, "Top").await;
    assert_eq!(
        (at_main(&place, "one.txt").as_str(), at_main(&place, "two.txt").as_str()),
        ("1\nand more", "2, seen from the top")
    );
    assert_eq!(at_main(&place, "other.txt"), "other");
    assert_eq!(git(place.repo.path(), &["rev-list", "--count", "main"]), "6", "a commit for each, and the first");
}

#[tokio::test]
async fn whoever_conflicts_is_named() {
    let place = Place::new().await;
    let main = place.base().await;
    let one = built(&place, "r1", &main, &[("README.md", "# One\n")]).await;
    let aside = built(&place, "r2", &main, &[("aside.txt", "aside\n")]).await;
    let two = built(&place, "r3", &main, &[("README.md", "# Two\n")]).await;
    let refs = git(place.repo.path(), &["for-each-ref"]);
    let works = [one.clone(), aside.clone(), two.clone()];
    let Stacked::Conflict { work, with, files } = place.repo.stack(&main, &works).await.unwrap() else { panic!() };
    assert_eq!((work, with, files[0].path.as_str()), (2, vec![0], "README.md"));
    assert_eq!(git(place.repo.path(), &["for-each-ref"]), refs, "no ref moved");

    merged(&place, &one, "One").await;
    let Stacked::Conflict { work, with, .. } =
        place.repo.stack(&place.base().await, &[aside, two.clone()]).await.unwrap()
    else {
        panic!()
    };
    assert_eq!((work, with), (1, vec![]), "it is the branch");

    // Its agent resolves it, and what is built on it goes on.
    let tip = place.base().await;
    let joined = place.repo.join("r3", &two, &tip, "main", &me()).await.unwrap().unwrap();
    assert_eq!((&joined.base, joined.files.len()), (&tip, 1));
    let resolved = work_on(&place, &joined).await;
    assert_eq!(stacked(&place, std::slice::from_ref(&resolved)).await, resolved.head);
}

async fn work_on(place: &Place, joined: &Joined) -> Work {
    let made = place.repo.worktree("r3", &place.folder("r3")).unwrap().unwrap();
    place.repo.restore(&made, "work/r3", &joined.base, &joined.commit).await.unwrap();
    fs::write(made.tree().join("README.md"), "# One and Two\n").unwrap();
    work(&joined.base, &place.snap(&made, &joined.commit).await)
}
