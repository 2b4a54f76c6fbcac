//! What the docs say of tests is true: each that they name is there.

use std::path::Path;

use guildhall_types::alert::{AlertKind, Thresholds, Unit};

fn sources(folder: &Path, out: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("node_modules") || path.ends_with("python") {
            continue;
        } else if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "ts" || kind == "tsx") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let name = name.trim_end_matches(".test").trim_end_matches(".spec").to_owned();
            out.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Looks for every test that a page of the docs names; how many there are.
fn named_in(page: &str) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs").join(page)).unwrap();
    let mut named = 0;
    for word in page.split('`').skip(1).step_by(2).filter(|word| word.contains("::")) {
        let (place, test) = word.split_once("::").unwrap();
        let (of, file) = place.split_once('/').unwrap_or_else(|| panic!("{word}: name the crate"));
        let mut all = Vec::new();
        let shown = match of {
            "ui" => {
                sources(&root.join("ui/src"), &mut all);
                sources(&root.join("ui/e2e"), &mut all);
                format!("\"{test}\"")
            }
            of => {
                let folder = if of == "bench" { root.join(of) } else { root.join("crates").join(of) };
                sources(&folder, &mut all);
                format!("fn {test}(")
            }
        };
        let found = all.iter().any(|(name, text)| name == file && text.contains(&shown));
        assert!(found, "{word} is not there");
        named += 1;
    }
    named
}

#[test]
fn operators_are_told_all_that_a_trace_may_say() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operators.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, traces) = page.split_once("\n### Traces\n").unwrap();
    let (traces, _) = traces.split_once("\n## ").unwrap();
    let told: std::collections::BTreeSet<&str> = traces
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains('.') && !word.contains([':', '/', '=']))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()) && *word != "span.id")
        .collect();
    let known = guildhall_types::trace::Key::ALL.iter().map(|key| key.as_str()).collect();
    assert_eq!(told, known);
}

#[test]
fn every_test_that_the_security_page_names_is_there() {
    let named = named_in("security.md");
    assert!(named > 60, "{named}");
}

#[test]
fn every_case_of_the_sandbox_has_its_row_and_every_test_that_it_names_is_there() {
    let named = named_in("sandbox.md");
    assert!(named > 45, "{named}");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sandbox.md");
    let page = std::fs::read_to_string(page).unwrap();
    for number in 1..=36 {
        let row = page.lines().find(|line| line.starts_with(&format!("| {number} |")));
        let row = row.unwrap_or_else(|| panic!("case {number} has no row"));
        assert!(
            row.contains("::") || row.contains("see \""),
            "case {number} names neither a test nor a section: {row}"
        );
    }
}

#[test]
fn the_rules_for_prometheus_and_the_docs_hold_the_figures_at_which_alerts_are_raised() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let rules = std::fs::read_to_string(root.join("deploy/prometheus/guildhall.rules.yml")).unwrap();
    let page = std::fs::read_to_string(root.join("docs/operators.md")).unwrap();
    let all = Thresholds::default();
    let hundredth = |value: i64| format!("{:.2}", value as f64 / 100.0);
    let hours = |value: i64| (value * 3_600).to_string();
    let second = |value: i64| format!("{}", value as f64 / 1_000.0);
    let of = |kind: AlertKind| (all.of(kind).warning, all.of(kind).critical);
    for (kind, what, shown) in [
        (
            AlertKind::Memory,
            "guildhall_memory_used_bytes / guildhall_memory_total_bytes",
            &hundredth as &dyn Fn(i64) -> String,
        ),
        (
            AlertKind::Disk,
            "guildhall_disk_used_bytes{role!=\"log\"} / guildhall_disk_total_bytes{role!=\"log\"}",
            &hundredth,
        ),
        (
            AlertKind::LogDisk,
            "guildhall_disk_used_bytes{role=\"log\"} / guildhall_disk_total_bytes{role=\"log\"}",
            &hundredth,
        ),
        (
            AlertKind::DiskFiles,
            "guildhall_disk_files_used{role!=\"log\"} / guildhall_disk_files_limit{role!=\"log\"}",
            &hundredth,
        ),
        (AlertKind::BackupOld, "time() - max(guildhall_last_good_backup_timestamp_seconds)", &hours),
        (AlertKind::MailStuck, "time() - max(guildhall_mail_flows_timestamp_seconds)", &hours),
        (AlertKind::CleanUpStuck, "time() - guildhall_last_clean_up_timestamp_seconds", &|value| {
            (value * 60).to_string()
        }),
        (AlertKind::ActiveAgents, "max(guildhall_active_agents)", &|value| value.to_string()),
        (AlertKind::ApiFailures, "guildhall_provider_failures", &|value| value.to_string()),
        (AlertKind::DatabaseSlow, "guildhall_database_turn_seconds", &second),
    ] {
        let (warning, critical) = of(kind);
        for rule in [
            format!("expr: {what} >= {} < {}", shown(warning), shown(critical)),
            format!("expr: {what} >= {}", shown(critical)),
        ] {
            assert!(rules.contains(&rule), "the rules lack: {rule}");
        }
    }
    let (warning, critical) = of(AlertKind::CertificateEnds);
    let ends = "min by (host) (guildhall_certificate_ends_timestamp_seconds) - time() <=";
    for rule in [
        format!("expr: {ends} {} > {}", warning * 86_400, critical * 86_400),
        format!("expr: {ends} {}", critical * 86_400),
    ] {
        assert!(rules.contains(&rule), "the rules lack: {rule}");
    }
    for kind in AlertKind::ALL {
        let (warning, critical) = of(*kind);
        let row = page.lines().find(|line| line.starts_with(&format!("| `{kind}` |")));
        let row = row.unwrap_or_else(|| panic!("{kind} has no row"));
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let figures = match kind.unit() {
            Unit::None => continue,
            Unit::Millis => [format!("{warning} ms"), format!("{critical} ms")],
            Unit::Seconds => [format!("{warning} s"), format!("{critical} s")],
            Unit::Hours => [format!("{warning} h"), format!("{critical} h")],
            Unit::Minutes => [format!("{} h", warning / 60), format!("{} h", critical / 60)],
            unit => [unit.of(warning), unit.of(critical)],
        };
        assert_eq!([cells[2], cells[3]], [figures[0].as_str(), figures[1].as_str()], "{kind}");
    }
}
