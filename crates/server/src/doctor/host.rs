//! What the machine itself has to bring: git, walls around agents' commands, file handles.

use guildhall_sandbox::{Isolation, Sandbox, Unshown, look_at_groups};

use super::{Level, Line};
use crate::problem::chain;

/// The oldest git whose `merge-tree` takes what is needed.
const GIT: (u32, u32) = (2, 40);
/// File handles that the server needs beside one for each connection: database, repositories, commands and what they print.
const HANDLES: u64 = 1_024;

pub(super) async fn git() -> Line {
    const WHAT: &str = "git";
    let output = match guildhall_git::version().await {
        Ok(output) => output,
        Err(error) => return Line::new(Level::Fail, WHAT, format!("{}; install git 2.40 or later", chain(&error))),
    };
    match git_version(&output) {
        Some(version) if version >= GIT => Line::new(Level::Ok, WHAT, output),
        _ => {
            let detail = format!(
                "found {output:?}; install git {}.{} or later (Debian 12: from bookworm-backports)",
                GIT.0, GIT.1
            );
            Line::new(Level::Fail, WHAT, detail)
        }
    }
}

fn git_version(output: &str) -> Option<(u32, u32)> {
    let mut numbers = output.strip_prefix("git version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) async fn sandbox(isolation: Isolation) -> Vec<Line> {
    const WHAT: &str = "sandbox";
    let report = Sandbox::new(isolation).probe().await;
    let mut lines = Vec::new();
    for finding in &report.findings {
        let level = match (finding.ok, report.usable) {
            (true, _) => Level::Ok,
            (false, true) => Level::Warn,
            (false, false) => Level::Fail,
        };
        lines.push(Line::new(level, &format!("{WHAT}: {}", finding.name), &finding.detail));
    }
    // Limits can be lacking while commands are kept apart. What the server itself has may be more than what this session has.
    for finding in tokio::task::spawn_blocking(look_at_groups).await.unwrap_or_default() {
        let level = if finding.ok { Level::Ok } else { Level::Warn };
        let detail = match finding.ok {
            true => finding.detail,
            false => format!(
                "{} (seen from this shell; the server's own state is in GET /api/health/detailed)",
                finding.detail
            ),
        };
        lines.push(Line::new(level, &format!("{WHAT}: {}", finding.name), detail));
    }
    if isolation == Isolation::Bubblewrap {
        for Unshown { program, link, to } in
            tokio::task::spawn_blocking(guildhall_sandbox::unshown).await.unwrap_or_default()
        {
            let detail = format!(
                "{} leads to {}, which agents' commands do not see: {program} may not run there",
                link.display(),
                to.display()
            );
            lines.push(Line::new(Level::Warn, &format!("{WHAT}: {program}"), detail));
        }
    }
    match (report.usable, isolation) {
        (true, Isolation::Bubblewrap) => {
            lines.push(Line::new(Level::Ok, WHAT, "agents' commands are kept apart from the host"));
        }
        (_, Isolation::None) => lines.push(Line::new(
            Level::Warn,
            WHAT,
            "off, as configured: agents' commands run with this server's rights and can read its keys; set sandbox = \"bubblewrap\"",
        )),
        (false, Isolation::Bubblewrap) => {
            lines.push(Line::new(Level::Fail, WHAT, "agents' commands cannot be kept apart from the host, so no agent starts"));
        }
    }
    lines
}

/// Whether there are enough file handles for all connections that there may be. The server takes as many as the hard limit
/// lets it have, so that this is what counts.
pub(super) fn handles(connections: usize) -> Line {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    enough_handles(limit.maximum, connections as u64 + HANDLES)
}

fn enough_handles(most: Option<u64>, needed: u64) -> Line {
    const WHAT: &str = "file handles";
    match most {
        Some(most) if most < needed => Line::new(
            Level::Warn,
            WHAT,
            format!(
                "this process may have {most}, and {needed} may be needed: put LimitNOFILE=65536 into the service, start the container with --ulimit nofile=65536, or lower GUILDHALL_MAX_CONNECTIONS (seen from this shell)"
            ),
        ),
        Some(most) => Line::new(Level::Ok, WHAT, format!("{most} may be open at once")),
        None => Line::new(Level::Ok, WHAT, "as many as the kernel has"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_git_is_read() {
        assert_eq!(git_version("git version 2.47.3"), Some((2, 47)));
        assert_eq!(git_version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(git_version("zsh: command not found"), None);
    }

    #[test]
    fn too_few_file_handles_are_told_before_they_run_out() {
        assert_eq!(enough_handles(Some(1_024), 1_824).level, Level::Warn);
        assert_eq!(enough_handles(Some(1_824), 1_824).level, Level::Ok);
        assert_eq!(enough_handles(None, 1_824).level, Level::Ok);
    }
}
