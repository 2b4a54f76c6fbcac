//! The real server, killed without warning at every boundary of a run: 200 seeded points, each at one exact passage.
//!
//! One clean run counts the passages of every boundary. Seed N then means the boundary N (they are taken in turn), at a
//! passage that the seed draws. `GUILDHALL_TEST_SEED=N` kills at that point alone; `=N,M,…` at several in one night.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::tell;
use super::world::{Life, Night, Template, passages};

/// Points in all; the tests share them.
const POINTS: u64 = 200;
/// Tests that share them.
const SHARDS: u64 = 4;
/// Kills of one night at most.
const KILLS: usize = 8;

struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        // Twice, so that neighbouring seeds do not draw alike.
        for _ in 0..2 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        }
        (self.0 >> 33) % limit.max(1)
    }
}

/// A night that nobody disturbs, but that a member ends its server once in the middle.
async fn clean(template: &Template) -> BTreeMap<String, u64> {
    let mut night = Night::new(template).await;
    let file = night.dir.path().join("passages");
    let env = [("GUILDHALL_TEST_PASSAGES", file.to_str().unwrap())];
    let life = night.live(&env, Some(Duration::from_millis(700))).await;
    assert!(life != Life::Killed);
    if life == Life::Ended {
        assert_eq!(night.live(&env, None).await, Life::Finished);
    }
    let counts = passages(&file);
    night.ends_well().await;
    counts
}

/// The point of a seed: a boundary, and at which passage of it since the start of the server.
fn point(seed: u64, counts: &BTreeMap<String, u64>, tries: u32) -> (String, u64) {
    let (name, count) = counts.iter().nth((seed % counts.len() as u64) as usize).unwrap();
    // A later life passes it less often than the clean run did.
    let most = match tries {
        0 => count.div_ceil(3),
        _ => 1,
    };
    (name.clone(), 1 + Draw(seed).below(most))
}

async fn killed_at(template: &Template, seeds: Vec<u64>, counts: &BTreeMap<String, u64>) {
    let alone = seeds.len();
    let mut left: VecDeque<(u64, u32)> = seeds.into_iter().map(|seed| (seed, 0)).collect();
    let mut killed = 0;
    while !left.is_empty() {
        let mut night = Night::new(template).await;
        let mut missed = Vec::new();
        while night.kills.len() < KILLS {
            let Some((seed, tries)) = left.pop_front() else { break };
            let (name, passage) = point(seed, counts, tries);
            tell(&format!("seed {seed}: kill at passage {passage} of {name}"));
            let at = format!("kill {name} {passage}");
            let stop = name.starts_with("shutdown.").then(|| Duration::from_millis(50 + Draw(seed).below(500)));
            match night.live(&[("GUILDHALL_TEST_AT", &at)], stop).await {
                Life::Killed => {
                    night.kills.push(format!("seed {seed}: {name} {passage}"));
                    killed += 1;
                    night.holds().await;
                }
                life => {
                    // It was all over before: the next night begins with this one.
                    assert!(tries < 6, "seed {seed}: {name} is not passed any more");
                    missed.push((seed, tries + 1));
                    if life == Life::Finished {
                        break;
                    }
                }
            }
        }
        for miss in missed.into_iter().rev() {
            left.push_front(miss);
        }
        if night.is_open() {
            assert_eq!(night.live(&[], None).await, Life::Finished);
        }
        night.ends_well().await;
    }
    assert_eq!(killed, alone, "every point was hit");
}

async fn shard(number: u64) {
    let template = Template::make().await;
    let counts = clean(&template).await;
    let seeds: Vec<u64> = match std::env::var("GUILDHALL_TEST_SEED") {
        Ok(seeds) if number == 0 => seeds.split(',').map(|seed| seed.trim().parse().unwrap()).collect(),
        Ok(_) => return,
        Err(_) => (0..POINTS).filter(|seed| seed % SHARDS == number).collect(),
    };
    tell(&format!("{} boundaries, passed {} times: {counts:?}", counts.len(), counts.values().sum::<u64>()));
    for part in ["store.", "git.", "tool.", "check.", "keep.", "worktree.", "shutdown."] {
        assert!(counts.keys().any(|name| name.starts_with(part)), "no boundary of {part} was passed");
    }
    killed_at(&template, seeds, &counts).await;
}

macro_rules! shards {
    ($($name:ident $number:literal)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            shard($number).await;
        }
    )*};
}

shards! {
    killed_at_every_boundary_1 0
    killed_at_every_boundary_2 1
    killed_at_every_boundary_3 2
    killed_at_every_boundary_4 3
}
