//! Where a repository is cloned from, and who is let in there.

use std::path::PathBuf;

use crate::GitError;
use crate::program::{Git, redact};

/// Where a repository is cloned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An address that git reaches over the network. It holds no name and no password that let anybody in.
    Remote(String),
    /// A folder on this machine. Whether it may be read, the caller has decided.
    Folder(PathBuf),
}

/// The name and the password, or the token, that stood in an address, as they stood there. Git is shown them alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Login(String);

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(…)")
    }
}

/// Tells git who is let in, out of the environment, so that it stands in no argument and no file. The same words for everybody.
const TELL: &str = r#"!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$GUILDHALL_CLONE_NAME" "$GUILDHALL_CLONE_PASSWORD"; }; f"#;

impl Source {
    /// Reads an address: `https://…`, `http://…`, `ssh://…`, `git://…`, `user@host:path`, `file://…` or an absolute path. What
    /// stands in it of a name and a password, or a token, comes apart from it.
    ///
    /// # Errors
    /// [`GitError::BadSource`] for anything else.
    pub fn parse(text: &str) -> Result<(Self, Option<Login>), GitError> {
        let text = text.trim();
        if text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control) {
            return Err(bad("give a git URL (https://…, ssh://…, git@host:path) or an absolute path"));
        }
        if let Some(path) = text.strip_prefix("file://") {
            return Ok((Self::Folder(PathBuf::from(path)), None));
        }
        if text.starts_with('/') {
            return Ok((Self::Folder(PathBuf::from(text)), None));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return remote(scheme, rest);
        }
        if text.contains("::") {
            return Err(bad("remote helpers (name::address) are not allowed; use an https or ssh URL"));
        }
        match text.split_once(':') {
            Some((user, rest)) if !user.contains(['@', '/']) && at_a_host(rest) => Err(bad(BY_KEY)),
            Some((host, path)) if !host.is_empty() && !host.contains('/') && !path.is_empty() => {
                Ok((Self::Remote(text.to_owned()), None))
            }
            _ => Err(bad("give a git URL (https://…, ssh://…, git@host:path) or an absolute path")),
        }
    }

    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Remote(address) => redact(address),
            Self::Folder(path) => path.display().to_string(),
        }
    }
}

const BY_KEY: &str = "ssh lets in by a key, not by a password: leave the password out of the address";

fn bad(reason: &str) -> GitError {
    GitError::BadSource { reason: reason.to_owned() }
}

/// Whether the rest of `user:…` reads like `password@host:path`.
fn at_a_host(rest: &str) -> bool {
    rest.split_once('@').is_some_and(|(password, host)| !password.contains('/') && host.contains(':'))
}

fn remote(scheme: &str, rest: &str) -> Result<(Source, Option<Login>), GitError> {
    let scheme = scheme.to_ascii_lowercase();
    if !["https", "http", "ssh", "git"].contains(&scheme.as_str()) || rest.is_empty() || rest.starts_with(['-', '/']) {
        return Err(bad("only https, http, ssh, git and file URLs can be cloned"));
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let Some((user, host)) = authority.rsplit_once('@') else {
        return Ok((Source::Remote(format!("{scheme}://{rest}")), None));
    };
    if host.is_empty()
        || host.starts_with('-')
        || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:[]".contains(&b))
    {
        return Err(bad("after the @ comes the name of a host"));
    }
    match scheme.as_str() {
        "https" | "http" => Ok((Source::Remote(format!("{scheme}://{host}{path}")), Some(Login::new(user)?))),
        "ssh" if !user.contains(':') => Ok((Source::Remote(format!("{scheme}://{rest}")), None)),
        "ssh" => Err(bad(BY_KEY)),
        _ => Err(bad("git:// lets everybody in: leave name and password out of the address, or use https")),
    }
}

impl Login {
    /// Reads what stands before the `@` of an address.
    ///
    /// # Errors
    /// [`GitError::BadSource`] when that can be no name and no password.
    pub fn new(text: &str) -> Result<Self, GitError> {
        let login = Self(text.to_owned());
        let (name, password) = login.parts();
        // Git is told both by lines.
        let odd = |part: Option<String>| part.is_none_or(|part| part.chars().any(char::is_control));
        if odd(name) || odd(password) {
            return Err(bad("what stands before the @ is no name and no password; write special letters as %40"));
        }
        Ok(login)
    }

    /// What [`Login::new`] was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> (Option<String>, Option<String>) {
        let (name, password) = self.0.split_once(':').unwrap_or((&self.0, ""));
        (decoded(name), decoded(password))
    }

    /// Lets git in at the host of this address, and nowhere that it may be led from there.
    pub(crate) fn given(&self, git: Git, address: &str) -> Git {
        let (name, password) = self.parts();
        let host = address.match_indices('/').nth(2).map_or(address, |(at, _)| address.get(..at).unwrap_or(address));
        git.config(&format!("credential.{host}.helper={TELL}"))
            .env("GUILDHALL_CLONE_NAME", name.unwrap_or_default())
            .env("GUILDHALL_CLONE_PASSWORD", password.unwrap_or_default())
    }
}

/// Text without its escapes (RFC 3986, section 2.1); nothing when they are none.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let pair = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_password_come_apart_from_their_address() {
        for (text, address, login) in [
            ("https://anna:s%40cret@a.example/r.git", "https://a.example/r.git", "anna:s%40cret"),
            ("HTTPS://ghp_token@a.example:8443/@x/r", "https://a.example:8443/@x/r", "ghp_token"),
            ("http://a:b@c@[::1]:80/r", "http://[::1]:80/r", "a:b@c"),
        ] {
            let (source, found) = Source::parse(text).unwrap();
            assert_eq!((source, found.unwrap().as_str()), (Source::Remote(address.to_owned()), login), "{text}");
        }
        for text in ["ssh://git@a.example/r", "git@a.example:r.git", "https://a.example/@x/r@2.git", "git@a:r@2:x"] {
            assert_eq!(Source::parse(text).unwrap(), (Source::Remote(text.to_owned()), None));
        }
        let login = Login::new("anna:s%40cret").unwrap();
        assert_eq!(login.parts(), (Some("anna".to_owned()), Some("s@cret".to_owned())));
        assert_eq!(format!("{login:?}"), "Login(…)");
    }

    #[test]
    fn what_lets_nobody_in_or_cannot_be_told_apart_is_refused() {
        for text in [
            "ssh://anna:secret@a.example/r",
            "anna:secret@a.example:r.git",
            "git://anna@a.example/r",
            "https://anna:a%0Apassword=b@a.example/r",
            "https://anna:%zz@a.example/r",
            "https://anna:b@/r",
            "https://anna:b@a=b/r",
            "https://anna:b@-x/r",
        ] {
            let error = Source::parse(text).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
