//! Where a repository is cloned from, and who is let in there.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use crate::GitError;
use crate::program::{Git, SSH_COMMAND, redact};

/// Where a repository is cloned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An address that git reaches over the network. It holds no name and no password that let anybody in.
    Remote(String),
    /// The same where its host is at these addresses and nowhere else: whoever looked where it is has git go there.
    At {
        /// The address.
        address: String,
        /// Where its host is.
        at: Vec<IpAddr>,
    },
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
            // Without its slashes it would be the name of a host, and what lets in a path that everybody sees.
            Some((scheme, _)) if SCHEMES.iter().any(|it| scheme.eq_ignore_ascii_case(it)) => Err(bad(CUT)),
            Some((user, rest)) if !user.contains(['@', '/']) && at_a_host(rest) => Err(bad(BY_KEY)),
            Some((authority, path)) if !authority.contains('/') && !path.is_empty() => {
                let (user, host) =
                    authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
                if lets_in(user, path) {
                    return Err(bad(NO_SCHEME));
                }
                if !is_name(host) || !user.is_none_or(is_name) {
                    return Err(bad(NO_HOST));
                }
                Ok((Self::Remote(text.to_owned()), None))
            }
            _ => Err(bad("give a git URL (https://…, ssh://…, git@host:path) or an absolute path")),
        }
    }

    /// The host in the network that it names, and the port; nothing for a folder.
    pub fn host(&self) -> Option<(String, u16)> {
        let (Self::Remote(address) | Self::At { address, .. }) = self else { return None };
        let Some((scheme, rest)) = address.split_once("://") else {
            // user@host:path
            let (authority, _) = address.split_once(':')?;
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            return Some((host.to_owned(), SSH));
        };
        let usual = match scheme {
            "https" => 443,
            "http" => 80,
            "git" => 9418,
            _ => SSH,
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        // An address of the new kind stands in brackets.
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = port.filter(|port| !port.is_empty()).map_or(Some(usual), |port| port.parse().ok())?;
        (!host.is_empty()).then(|| (host.to_owned(), port))
    }

    /// The same with git going to these addresses alone.
    #[must_use]
    pub fn reached_at(self, at: Vec<IpAddr>) -> Self {
        match self {
            Self::Remote(address) | Self::At { address, .. } => Self::At { address, at },
            Self::Folder(folder) => Self::Folder(folder),
        }
    }

    /// Lets git speak to it, and lets it in there.
    pub(crate) fn reached_by(&self, git: Git, login: Option<&Login>) -> Git {
        let (Self::Remote(address) | Self::At { address, .. }) = self else {
            return git.env("GIT_ALLOW_PROTOCOL", "file");
        };
        let git = git.env("GIT_ALLOW_PROTOCOL", "git:http:https:ssh");
        let git = match login {
            Some(login) => login.given(git, address),
            None => git,
        };
        let (Self::At { at, .. }, Some((host, port))) = (self, self.host()) else { return git };
        // Somewhere else, nobody has looked where that is.
        let git = git.config("http.followRedirects=false");
        let Some(first) = at.first() else { return git };
        if address.starts_with("http") {
            // What is written as an address is nowhere else.
            if host.parse::<IpAddr>().is_ok() {
                return git;
            }
            let at: Vec<String> = at.iter().map(ToString::to_string).collect();
            return git.config(&format!("http.curloptResolve={host}:{port}:{}", at.join(",")));
        }
        match address.starts_with("git://") {
            true => git,
            // A shell reads this line; a host is a plain name or an address.
            false => git.env("GIT_SSH_COMMAND", format!("{SSH_COMMAND} -o HostName={first} -o HostKeyAlias={host}")),
        }
    }

    /// As git takes it. A host that nothing else has git look for at an address stands there as that.
    pub(crate) fn argument(&self) -> OsString {
        match self {
            Self::Remote(address) => address.into(),
            Self::At { address, at } => match (address.strip_prefix("git://"), self.host(), at.first()) {
                (Some(rest), Some((host, _)), Some(IpAddr::V4(first))) => {
                    format!("git://{}", rest.replacen(&host, &first.to_string(), 1)).into()
                }
                (Some(rest), Some((host, _)), Some(IpAddr::V6(first))) if !rest.starts_with('[') => {
                    format!("git://{}", rest.replacen(&host, &format!("[{first}]"), 1)).into()
                }
                _ => address.into(),
            },
            Self::Folder(folder) => folder.into(),
        }
    }

    /// Whether git speaks ssh to it.
    pub fn is_by_ssh(&self) -> bool {
        let (Self::Remote(address) | Self::At { address, .. }) = self else { return false };
        address.split_once("://").is_none_or(|(scheme, _)| scheme == "ssh")
    }

    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Remote(address) | Self::At { address, .. } => redact(address),
            Self::Folder(path) => path.display().to_string(),
        }
    }
}

/// The port of ssh.
const SSH: u16 = 22;

/// What is no host's name before a colon.
const SCHEMES: [&str; 6] = ["https", "http", "ssh", "git", "ftp", "file"];

const CUT: &str = "after https, http, ssh, git or file comes ://, as in https://NAME:TOKEN@host/path; where a host is called so, \
                   write ssh://HOST/path";
const NO_SCHEME: &str = "name and token stand behind https://, as in https://NAME:TOKEN@host/path; by ssh, write git@host:path, \
                         or ssh://git@host/path where an @ stands in the path";
const BY_KEY: &str = "ssh lets in by a key, not by a password: leave the password out of the address";

fn bad(reason: &str) -> GitError {
    GitError::BadSource { reason: reason.to_owned() }
}

/// Whether the rest of `user:…` reads like `password@host:path`.
fn at_a_host(rest: &str) -> bool {
    rest.split_once('@').is_some_and(|(password, host)| !password.contains('/') && host.contains(':'))
}

/// Whether `user@host:path`, the user perhaps left out, reads like `name:token@host/path`, whose `https://` was forgotten: the name
/// may be an address of mail.
fn lets_in(user: Option<&str>, path: &str) -> bool {
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    first
        .split_once('@')
        .is_some_and(|(_, host)| user.is_none() || (host.contains('.') && (rest.is_some() || host.contains(':'))))
}

fn remote(scheme: &str, rest: &str) -> Result<(Source, Option<Login>), GitError> {
    let scheme = scheme.to_ascii_lowercase();
    if !["https", "http", "ssh", "git"].contains(&scheme.as_str()) || rest.is_empty() || rest.starts_with(['-', '/']) {
        return Err(bad("only https, http, ssh, git and file URLs can be cloned"));
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    // What git or its helpers could read in another way than we do is no address here.
    if !is_host(host) {
        return Err(bad(NO_HOST));
    }
    let Some(user) = user else { return Ok((Source::Remote(format!("{scheme}://{rest}")), None)) };
    match scheme.as_str() {
        "https" | "http" => Ok((Source::Remote(format!("{scheme}://{host}{path}")), Some(Login::new(user)?))),
        "ssh" if is_name(user) => Ok((Source::Remote(format!("{scheme}://{rest}")), None)),
        "ssh" if user.contains(':') => Err(bad(BY_KEY)),
        "ssh" => Err(bad("before the @ comes the name of a user")),
        _ => Err(bad("git:// lets everybody in: leave name and password out of the address, or use https")),
    }
}

const NO_HOST: &str =
    "the address has to name a host by letters, digits, dots and dashes, and perhaps a port behind a colon";

/// Whether this is a plain name, of a host or a user.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// Whether this is a plain name or an address of a host, and perhaps a port.
fn is_host(text: &str) -> bool {
    let (is_plain, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            (address.parse::<Ipv6Addr>().is_ok(), rest.strip_prefix(':').or((!rest.is_empty()).then_some("?")))
        }
        None => {
            let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
            (is_name(name), port)
        }
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_plain && port.is_none_or(is_port)
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
        for text in [
            "ssh://git@a.example/r",
            "git@a.example:r.git",
            "https://a.example/@x/r@2.git",
            "git@a:r@2:x",
            "git@a.example:r@2.git",
            "git@git:r.git",
            "forge:team/@x/r@2.git",
        ] {
            assert_eq!(Source::parse(text).unwrap(), (Source::Remote(text.to_owned()), None));
        }
        for (text, host, port, by_ssh) in [
            ("https://a.example/r", "a.example", 443, false),
            ("http://a.example:8080/r", "a.example", 8080, false),
            ("http://[::1]:80/r", "::1", 80, false),
            ("git://a.example/r", "a.example", 9418, false),
            ("ssh://git@a.example:2222/r", "a.example", 2222, true),
            ("git@a.example:r.git", "a.example", 22, true),
        ] {
            let source = Source::parse(text).unwrap().0;
            assert_eq!((source.host(), source.is_by_ssh()), (Some((host.to_owned(), port)), by_ssh), "{text}");
        }
        assert_eq!(Source::parse("/srv/r").unwrap().0.host(), None);
        for (text, at, expected) in [
            ("git://a.example/a.example", "192.0.2.1", "git://192.0.2.1/a.example"),
            ("git://a.example:1/r", "2001:db8::1", "git://[2001:db8::1]:1/r"),
            ("https://a.example/r", "192.0.2.1", "https://a.example/r"),
        ] {
            let source = Source::parse(text).unwrap().0.reached_at(vec![at.parse().unwrap()]);
            assert_eq!(source.argument(), expected);
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
            "https://a.example?x/r",
            "ssh://127.0.0.1:%32%32/r",
            "ssh://127.0.0.1: 22/r",
            "git://127.0.0.1:%31/r",
            "ssh://a.example:99999/r",
            "ssh://[127.0.0.1]@a.example/r",
            "[127.0.0.1]@a.example:path",
            "[::1]:path",
            "ssh://a%62@a.example/r",
            "https://[::1]x/r",
            "https://[a.example]/r",
            "anna:secret@a.example/team/r.git",
            "anna:secret@a.example",
            "anna@mail.example:secret@a.example/team/r.git",
            "anna@mail.example:secret@a.example:r.git",
            "https:/anna:secret@a.example/r",
            "HTTPS:anna:secret@a.example/r",
            "http:/secret@a.example/r",
            "ssh:/anna:secret@a.example/r",
            "git:anna:secret@a.example/r",
            "ftp:/anna:secret@a.example/r",
            "file:/anna:secret@a.example/r",
            "https//anna:secret@a.example/r",
        ] {
            let error = Source::parse(text).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
