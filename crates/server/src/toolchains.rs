//! The toolchains that the operator lists for agents' commands, and what the machine has beside them.

use std::path::{Path, PathBuf};

use guildhall_sandbox::{Toolchain, Toolchains, on_this_machine};

use crate::config::Config;
use crate::doctor::{Level, Line};

const WHAT: &str = "toolchains";

/// What the operator listed, looked at.
///
/// # Errors
/// What is wrong with each that cannot be used, in a sentence that says what to do.
pub fn listed(config: &Config) -> Result<Toolchains, Vec<String>> {
    let data = config.data_dir.canonicalize().unwrap_or_else(|_| config.data_dir.clone());
    let overlaps = |folder: &&PathBuf| folder.starts_with(&data) || data.starts_with(folder);
    let fault = |folder: &PathBuf| {
        format!(
            "{}: the server's own data lies there, which no agent is to see; list a folder apart from it",
            folder.display()
        )
    };
    let faults: Vec<String> = config.toolchains.iter().filter(overlaps).map(fault).collect();
    if faults.is_empty() { Toolchains::look(&config.toolchains) } else { Err(faults) }
}

/// What `doctor` says of them: what is listed, and the exact lines for what the machine has beside that.
pub fn examine(config: &Config) -> Vec<Line> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let found = on_this_machine(home.as_deref(), &|name| std::env::var_os(name).map(PathBuf::from));
    told(listed(config), &config.toolchains, &found)
}

fn told(listed: Result<Toolchains, Vec<String>>, folders: &[PathBuf], found: &[Toolchain]) -> Vec<Line> {
    let mut lines = Vec::new();
    match &listed {
        Ok(toolchains) => lines.extend(
            toolchains
                .all()
                .iter()
                .map(|one| Line::new(Level::Ok, WHAT, format!("{} in {}", one.name, one.path.display()))),
        ),
        Err(faults) => lines.extend(faults.iter().map(|fault| Line::new(Level::Fail, WHAT, fault))),
    }
    let more: Vec<&Toolchain> = found.iter().filter(|one| !folders.contains(&one.path)).collect();
    if more.is_empty() {
        if lines.is_empty() {
            lines.push(Line::new(Level::Ok, WHAT, "none outside of /usr was found, and none is listed"));
        }
        return lines;
    }
    let names: Vec<String> = more.iter().map(|one| format!("{} in {}", one.name, one.path.display())).collect();
    let all: Vec<&Path> =
        folders.iter().map(PathBuf::as_path).chain(more.iter().map(|one| one.path.as_path())).collect();
    let env: Vec<String> = all.iter().map(|path| path.display().to_string()).collect();
    let toml: Vec<String> = env.iter().map(|path| format!("{path:?}")).collect();
    let detail = format!(
        "this machine has {}, which agents' commands do not see. To let them, read-only, set GUILDHALL_TOOLCHAINS={} or write toolchains = [{}] into the configuration file",
        names.join(", "),
        env.join(":"),
        toml.join(", ")
    );
    lines.push(Line::new(Level::Ok, WHAT, detail));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_has_is_proposed_with_the_exact_lines() {
        let one =
            |path: &str| Toolchain { name: "Go".to_owned(), path: path.into(), env: Vec::new(), bins: Vec::new() };
        let lines = told(Ok(Toolchains::default()), &["/a".into()], &[one("/a"), one("/opt/go")]);
        assert_eq!(lines.len(), 1);
        let Line { level, detail, .. } = &lines[0];
        assert_eq!(*level, Level::Ok);
        assert!(detail.starts_with("this machine has Go in /opt/go, which"), "{detail}");
        assert!(detail.contains("GUILDHALL_TOOLCHAINS=/a:/opt/go or"), "{detail}");
        assert!(detail.contains(r#"toolchains = ["/a", "/opt/go"] into"#), "{detail}");
        let lines = told(Err(vec!["/b: no".to_owned()]), &["/a".into()], &[one("/a")]);
        assert_eq!((lines.len(), lines[0].level, lines[0].detail.as_str()), (1, Level::Fail, "/b: no"));
        assert!(told(Ok(Toolchains::default()), &[], &[])[0].detail.contains("none is listed"));
    }
}
