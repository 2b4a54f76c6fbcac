//! The same in several clones: packs of what is new, and refs that move together.

use std::collections::{BTreeMap, BTreeSet};

use guildhall_git::*;
use tokio::sync::mpsc;

use crate::{Place, git};

async fn clone_of(place: &Place, name: &str) -> Repo {
    let standing = Standing { refs: Vec::new(), ..place.repo.standing().await.unwrap() };
    let path = place.dir.path().join(name);
    let half = Unfinished::begin(&path, &standing).await.unwrap();
    assert!(Repo::open(&path).is_err(), "nothing is there before all of it is");
    half.finish(&path).unwrap()
}

/// Brings one to what the other stands at, as it stood at `before`.
async fn follow(from: &Repo, to: &Repo, before: &BTreeMap<String, Oid>) -> BTreeMap<String, Oid> {
    let now = from.shared_refs().await.unwrap();
    let text = |all: &BTreeMap<String, Oid>| all.values().map(ToString::to_string).collect::<Vec<_>>();
    let (out, pieces) = mpsc::channel(4);
    let (wanted, known) = (text(&now), text(before));
    let (packed, taken) = tokio::join!(from.pack_objects(&wanted, &known, out), to.take_pack(pieces));
    packed.unwrap();
    taken.unwrap();
    let names = before.keys().chain(now.keys()).filter(|name| before.get(*name) != now.get(*name));
    let names: BTreeSet<&String> = names.collect();
    let step = |name: &String| Step { name: name.clone(), old: before.get(name).cloned(), new: now.get(name).cloned() };
    to.move_refs(&names.into_iter().map(step).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(to.shared_refs().await.unwrap(), now);
    assert_eq!(to.complaints().await.unwrap(), None);
    now
}

#[tokio::test]
async fn a_clone_follows_moves_forced_moves_deletions_tags_and_names_that_take_the_place_of_others() {
    let place = Place::new().await;
    let base = place.base().await;
    let path = place.repo.path().to_owned();
    let other = clone_of(&place, "other.git").await;
    assert_eq!(other.default_branch().await.unwrap(), place.repo.default_branch().await.unwrap());
    let none = BTreeMap::new();
    assert!(other.shared_refs().await.unwrap().is_empty());
    let first = follow(&place.repo, &other, &none).await;

    let commit = |text: &str, parent: &str| git(&path, &["commit-tree", "main^{tree}", "-p", parent, "-m", text]);
    let one = commit("one", base.as_str());
    git(&path, &["update-ref", "refs/heads/a", &one]);
    git(&path, &["update-ref", "refs/guildhall/runs/r", &one]);
    git(&path, &["update-ref", "refs/guildhall/remote/main", &one]);
    git(&path, &["tag", "-a", "-m", "T", "v1", &one]);
    let second = follow(&place.repo, &other, &first).await;
    assert!(second.contains_key("refs/tags/v1") && !second.contains_key("refs/guildhall/remote/main"));

    // Forced to another history, a branch that becomes a folder of branches, and what goes.
    let two = commit("two", base.as_str());
    git(&path, &["update-ref", "refs/guildhall/runs/r", &two]);
    git(&path, &["update-ref", "-d", "refs/heads/a"]);
    git(&path, &["update-ref", "refs/heads/a/b", &two]);
    git(&path, &["update-ref", "-d", "refs/tags/v1"]);
    let third = follow(&place.repo, &other, &second).await;
    let at = |name: &str| third.get(name).map(ToString::to_string);
    assert_eq!((at("refs/heads/a"), at("refs/heads/a/b")), (None, Some(two.clone())));

    // Of a ref that is elsewhere none of them moves.
    let (one, two) = (Oid::parse(&one).unwrap(), Oid::parse(&two).unwrap());
    let steps = [
        Step { name: "refs/heads/new".to_owned(), old: None, new: Some(one.clone()) },
        Step { name: "refs/heads/a/b".to_owned(), old: Some(one.clone()), new: Some(base.clone()) },
    ];
    assert!(matches!(other.move_refs(&steps).await, Err(GitError::Moved { .. })));
    assert_eq!(other.shared_refs().await.unwrap(), third);
    let hidden = [Step { name: "refs/other/x".to_owned(), old: None, new: Some(one.clone()) }];
    assert!(matches!(other.move_refs(&hidden).await, Err(GitError::BadName { .. })));

    assert!(!place.repo.loses(std::slice::from_ref(&base), std::slice::from_ref(&two)).await.unwrap());
    assert!(place.repo.loses(&[one], &[two.clone(), base]).await.unwrap());
    assert!(!place.repo.loses(&[], &[]).await.unwrap());
    let unknown = Oid::parse(&"9".repeat(40)).unwrap();
    assert!(place.repo.loses(&[unknown], &[two]).await.unwrap(), "of what is not here nobody knows");
}
