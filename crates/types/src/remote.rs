//! Where else a project's repository is: at the team's forge, say, where people look at work and builds run.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::DateTime;

/// Where else a project's repository is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct ProjectRemote {
    /// Its address, without what lets in there.
    pub url: String,
    /// Whether the server has something that lets it in there.
    pub has_login: bool,
    /// Whether the server looks there every five minutes, and takes what came to the default branch.
    pub follows: bool,
    /// Whether the server puts there what comes to the default branch here.
    pub pushes: bool,
    /// When it was looked at last.
    pub looked_at: Option<DateTime>,
    /// Commits of the default branch that were only here then; nothing where that is not known.
    pub ahead: Option<i64>,
    /// Commits of the default branch that were only there then.
    pub behind: Option<i64>,
    /// Why the last look, or what should have followed, failed, and what to do.
    pub error: Option<String>,
}

/// What a project's other repository is to be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutRemote {
    /// `https://…` or `ssh://…`, or `git@host:path`. A name and a password, or a token, before the host is sealed and never shown; of an
    /// address that stays, what was given before stays, too.
    pub url: String,
    /// Whether the server looks there every five minutes, and takes what came to the default branch.
    #[serde(default)]
    pub follows: bool,
    /// Whether the server puts there what comes to the default branch here.
    #[serde(default)]
    pub pushes: bool,
}

/// Work that was put into a project's other repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// The branch there.
    pub branch: String,
    /// The commit on it.
    pub commit: String,
    /// Where a pull request of it is opened, if the address tells which forge that is.
    pub pull_request: Option<String>,
}

/// Where a pull request of a branch into another is opened, as the common forges have it; nothing where the address is none that a browser
/// opens, or could be anything. GitLab and Bitbucket are known by their hosts' names, GitHub by its own; every other is taken for one of
/// those that do as GitHub does (Gitea, Forgejo, Gogs).
pub fn pull_request(url: &str, into: &str, branch: &str, title: &str) -> Option<String> {
    let (scheme, host, path) = web(url)?;
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    if path.split('/').count() < 2 {
        return None;
    }
    let base = format!("{scheme}://{host}/{path}");
    let (into, branch, title) = (escaped(into), escaped(branch), escaped(title));
    let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let names = |forge: &str| host.split('.').any(|part| part == forge);
    Some(if names("gitlab") {
        format!(
            "{base}/-/merge_requests/new?merge_request%5Bsource_branch%5D={branch}&merge_request%5Btarget_branch%5D={into}&\
             merge_request%5Btitle%5D={title}"
        )
    } else if names("bitbucket") {
        format!("{base}/pull-requests/new?source={branch}&dest={into}&title={title}")
    } else {
        format!("{base}/compare/{into}...{branch}?expand=1&title={title}")
    })
}

/// By which protocol, at which host with its port, and under which path a browser finds a repository, by the address that git has.
fn web(url: &str) -> Option<(&'static str, String, String)> {
    let (host, path) = match url.split_once("://") {
        Some(("http" | "https", rest)) => rest.split_once('/')?,
        // The port is that of ssh.
        Some(("ssh", rest)) => {
            let (authority, path) = rest.split_once('/')?;
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            (host.split(':').next()?, path)
        }
        Some(_) => return None,
        None => {
            let (authority, path) = url.split_once(':')?;
            (authority.rsplit_once('@').map_or(authority, |(_, host)| host), path)
        }
    };
    let scheme = if url.starts_with("http://") { "http" } else { "https" };
    (!host.is_empty()).then(|| (scheme, host.to_owned(), path.to_owned()))
}

/// A text in a query or a path: all but plain letters, digits and a few marks are escaped (RFC 3986). A slash of a branch's name stays.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_request_is_opened_where_each_forge_has_it() {
        let of = |url: &str| pull_request(url, "main", "guildhall/7-a-b", "Say \"hello\" & more");
        let title = "Say%20%22hello%22%20%26%20more";
        for (url, expected) in [
            (
                "https://github.com/o/r.git",
                format!("https://github.com/o/r/compare/main...guildhall/7-a-b?expand=1&title={title}"),
            ),
            (
                "git@github.com:o/r.git",
                format!("https://github.com/o/r/compare/main...guildhall/7-a-b?expand=1&title={title}"),
            ),
            (
                "ssh://git@forge.example:2222/o/r",
                format!("https://forge.example/o/r/compare/main...guildhall/7-a-b?expand=1&title={title}"),
            ),
            (
                "https://forge.example:3000/o/r/",
                format!("https://forge.example:3000/o/r/compare/main...guildhall/7-a-b?expand=1&title={title}"),
            ),
            (
                "https://gitlab.example/group/sub/r.git",
                format!(
                    "https://gitlab.example/group/sub/r/-/merge_requests/new?merge_request%5Bsource_branch%5D=guildhall/7-a-b&merge_request%5Btarget_branch%5D=main&merge_request%5Btitle%5D={title}"
                ),
            ),
            (
                "https://bitbucket.org/o/r",
                format!("https://bitbucket.org/o/r/pull-requests/new?source=guildhall/7-a-b&dest=main&title={title}"),
            ),
        ] {
            assert_eq!(of(url).as_deref(), Some(expected.as_str()), "{url}");
        }
        for url in ["git://host/o/r", "https://host/r", "https://host", "file:///srv/r.git", "nothing", "https:///o/r"]
        {
            assert_eq!(of(url), None, "{url}");
        }
    }
}
