//! Repositories that are packed and made again, as backups do it.

use std::fs;

use guildhall_git::*;
use tokio::sync::mpsc;

use crate::{Place, git};

/// Makes a repository anew of what another one holds. Nothing if its objects could not be packed.
async fn made_again(place: &Place) -> Option<Repo> {
    let standing = place.repo.standing().await.unwrap();
    let wanted: Vec<String> = standing.refs.iter().map(|(_, id)| id.clone()).collect();
    let again = Repo::empty(&place.dir.path().join("again.git"), &standing).await.unwrap();
    let (out, pieces) = mpsc::channel(4);
    let (packed, taken) = tokio::join!(place.repo.pack_objects(&wanted, &[], out), again.take_pack(pieces));
    packed.ok()?;
    taken.unwrap();
    again.stand_at(&standing.refs).await.unwrap();
    Some(again)
}

/// Histories such as these are everywhere: tools of earlier years wrote them, and git takes them with a clone.
#[tokio::test]
async fn a_history_that_git_would_not_write_today_comes_back_without_a_complaint() {
    let place = Place::new().await;
    let base = place.base().await;
    let tree = git(place.repo.path(), &["rev-parse", "main^{tree}"]);
    for (n, author) in ["A <a@example.com> 1300000000 -7", "A<a@example.com> 1300000000 +0000"].iter().enumerate() {
        let file = place.dir.path().join("commit");
        fs::write(&file, format!("tree {tree}\nparent {base}\nauthor {author}\ncommitter {author}\n\nOdd\n")).unwrap();
        let odd = git(place.repo.path(), &["hash-object", "-t", "commit", "-w", "--literally", file.to_str().unwrap()]);
        git(place.repo.path(), &["update-ref", &format!("refs/heads/odd-{n}"), &odd]);
    }
    let again = made_again(&place).await.unwrap();
    assert_eq!(again.complaints().await.unwrap(), None);
    assert_eq!(again.standing().await.unwrap(), place.repo.standing().await.unwrap());
}

#[tokio::test]
async fn what_is_not_what_its_name_says_is_complained_of() {
    let place = Place::new().await;
    let path = place.repo.path();
    let blob = |text: &str| {
        let file = place.dir.path().join("blob");
        fs::write(&file, text).unwrap();
        git(path, &["hash-object", "-w", file.to_str().unwrap()])
    };
    let loose = |id: &str| path.join("objects").join(&id[..2]).join(&id[2..]);
    let (one, other) = (blob("one\n"), blob("other\n"));
    git(path, &["update-ref", "refs/tags/one", &one]);
    let sound = made_again(&place).await.unwrap();
    assert_eq!(sound.complaints().await.unwrap(), None);
    // One that lost what its refs name.
    for pack in fs::read_dir(sound.path().join("objects/pack")).unwrap() {
        fs::remove_file(pack.unwrap().path()).unwrap();
    }
    assert!(sound.complaints().await.unwrap().is_some());
    fs::remove_dir_all(sound.path()).unwrap();
    // A disk that gives one file for another.
    fs::remove_file(loose(&one)).unwrap();
    fs::copy(loose(&other), loose(&one)).unwrap();
    let standing = place.repo.standing().await.unwrap();
    let again = Repo::empty(&place.dir.path().join("again.git"), &standing).await.unwrap();
    let (out, pieces) = mpsc::channel(4);
    let (packed, taken) =
        tokio::join!(place.repo.pack_objects(std::slice::from_ref(&one), &[], out), again.take_pack(pieces));
    let came = again.having(std::slice::from_ref(&one)).await.unwrap();
    assert!(packed.is_err() || taken.is_err() || came.is_empty(), "it is not under that name");
}
