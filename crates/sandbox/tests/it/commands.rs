//! Ordinary commands.

use crate::harness::Place;

#[tokio::test]
async fn first() {
    let place = Place::new();
    let report = place.sandbox.probe().await;
    println!("{report:#?}");
    println!("{:?}", place.run("id; pwd; ls -la / /run /etc; env; exit 3").await);
    println!("{:?}", place.run("(trap '' HUP; setsid sleep 4567 &) ; (sleep 5678 & ) ; kill -9 $$").await);
    let out = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|e| std::fs::read_to_string(e.path().join("cmdline")).ok())
        .filter(|s| s.contains("4567") || s.contains("5678"))
        .count();
    println!("{out}");
}
