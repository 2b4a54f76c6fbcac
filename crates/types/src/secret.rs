//! Secrets of a project: what its commands need and nobody is to read, such as the address of a test database.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DateTime, MemberId, ProjectId, text_enum::text_enum};

/// Characters that a secret has at least: a shorter one could not be told from ordinary text where it is blotted out.
pub const SHORTEST: usize = 8;
/// Bytes that it has at most.
pub const LONGEST: usize = 16 * 1024;
/// Characters that its name has at most.
pub const NAME: usize = 64;
/// Secrets that a project has at most.
pub const MOST: usize = 50;
/// Bytes that all secrets of a project have at most together, a few dozen for the sealing of each included. Every spelling of each
/// is looked for in all that commands print, and what looks for them was measured to take 400 to 700 times as much memory.
pub const TOGETHER: usize = 32 * 1024;

/// Variables that the sandbox or a tool in it goes by: a value of this name would change what runs, not what it knows.
const TAKEN: &[&str] = &[
    "ASDF_DATA_DIR",
    "BASH_ENV",
    "BUNDLE_USER_CACHE",
    "BUN_INSTALL",
    "BUN_INSTALL_CACHE_DIR",
    "CARGO_HOME",
    "CCACHE_CONFIGPATH",
    "CCACHE_DIR",
    "COMPOSER_CACHE_DIR",
    "DENO_DIR",
    "ENV",
    "GOCACHE",
    "GOFLAGS",
    "GOMODCACHE",
    "GOROOT",
    "GRADLE_HOME",
    "GRADLE_USER_HOME",
    "HOME",
    "IFS",
    "JAVA_HOME",
    "JAVA_TOOL_OPTIONS",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "MAVEN_ARGS",
    "MAVEN_HOME",
    "NODE_OPTIONS",
    "NUGET_PACKAGES",
    "NVM_DIR",
    "PAGER",
    "PATH",
    "PERL5OPT",
    "PIP_CACHE_DIR",
    "POETRY_CACHE_DIR",
    "POETRY_VIRTUALENVS_IN_PROJECT",
    "PROMPT_COMMAND",
    "PWD",
    "PYENV_ROOT",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RBENV_ROOT",
    "RUBYOPT",
    "RUSTUP_HOME",
    "SCCACHE_DIR",
    "SDKMAN_DIR",
    "SHELL",
    "SHELLOPTS",
    "SHLVL",
    "TERM",
    "TMPDIR",
    "USER",
    "UV_CACHE_DIR",
    "UV_PYTHON_INSTALL_DIR",
    "YARN_CACHE_FOLDER",
    "_",
];
/// The same by how it begins.
const TAKEN_FAMILIES: &[&str] = &["BASH_FUNC_", "GIT_", "GUILDHALL_", "LC_", "LD_", "XDG_"];
/// The same for what leads requests through a proxy, which the project's network decides.
const PROXIES: &[&str] = &["ALL_PROXY", "FTP_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"];

text_enum! {
    /// Which commands a secret is given to.
    pub enum SecretUse {
        /// Those that set a worktree up.
        SetUp = "set-up",
        /// The project's checks.
        Checks = "checks",
        /// Those of an agent that asks for it by name.
        Agents = "agents",
        /// Those that run on while others do.
        Services = "services",
        /// Those of a member at a terminal, who can read it there.
        Terminals = "terminals",
    }
}

impl SecretUse {
    /// Those that a secret is given to where nothing else is chosen: all in which nobody reads it.
    pub fn usual() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|to| *to != Self::Terminals)
    }
}

/// A secret of a project, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct ProjectSecret {
    /// The project.
    #[serde(skip)]
    #[schema(ignore)]
    pub project_id: ProjectId,
    /// The environment variable in which commands find it.
    pub name: String,
    /// Its last characters, to tell it from another; nothing of a short one.
    pub hint: String,
    /// Which commands it is given to.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub uses: Vec<SecretUse>,
    /// Who put it in place.
    pub put_by: MemberId,
    /// When it was put in place.
    pub updated_at: DateTime,
}

/// Whether a variable of this name changes what runs, or what it reaches: members give nothing under it.
pub fn is_taken(name: &str) -> bool {
    // Programs go by the names of proxies in small letters, too.
    TAKEN.contains(&name)
        || PROXIES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy))
        || TAKEN_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// What is said of a name for which [`is_taken`] holds.
pub fn taken_fault(name: &str) -> String {
    format!("{name} has a meaning of its own for the programs that would find it; choose another name")
}

/// What keeps a word from being the name of a secret, in a sentence that says what to do.
pub fn name_fault(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let fits = !name.is_empty()
        && name.len() <= NAME
        && name.chars().all(plain)
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !fits {
        return Some(format!(
            "give a name of 1 to {NAME} capital letters, digits and underscores that does not begin with a digit, such as TEST_DATABASE_URL"
        ));
    }
    is_taken(name).then(|| taken_fault(name))
}

/// What keeps a text from being a secret, in a sentence that says what to do.
pub fn value_fault(value: &str) -> Option<String> {
    if value.contains('\0') {
        return Some("a secret cannot hold a NUL character".to_owned());
    }
    if value.len() > LONGEST {
        return Some(format!("a secret has at most {LONGEST} bytes"));
    }
    let long = value.lines().any(|line| line.trim().chars().count() >= SHORTEST);
    if !long {
        return Some(format!(
            "give at least {SHORTEST} characters on one line: what is shorter cannot be told from ordinary text, and so could not be blotted out of what commands print"
        ));
    }
    crate::blot::is_word(value.trim()).then(|| {
        "one word in small letters cannot be told from ordinary text, and so could not be blotted out of what commands print; choose another secret"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_environment_variable_that_nothing_else_goes_by() {
        for name in ["TEST_DATABASE_URL", "A", "_TOKEN_2", "NPM_TOKEN", "CARGO_REGISTRY_TOKEN"] {
            assert_eq!(name_fault(name), None, "{name}");
        }
        let long = "A".repeat(NAME + 1);
        for name in ["", "lower", "1A", "A-B", "A B", "ÄA", "A=B", "A\n", &long] {
            assert!(name_fault(name).unwrap().starts_with("give a name"), "{name}");
        }
        for name in ["PATH", "LD_PRELOAD", "GIT_SSH_COMMAND", "BASH_ENV", "HTTPS_PROXY", "GUILDHALL_KEY_FILE"] {
            assert!(name_fault(name).unwrap().contains("a meaning of its own"), "{name}");
        }
        assert!(is_taken("https_proxy") && is_taken("_") && !is_taken("GITHUB_TOKEN") && !is_taken("path"));
    }

    #[test]
    fn a_value_that_could_not_be_blotted_out_is_refused() {
        assert_eq!(value_fault("12345678"), None);
        assert_eq!(value_fault("a\nb\n12345678\n"), None);
        assert!(value_fault("1234567").unwrap().contains("at least 8"));
        assert!(value_fault("1234\n5678\n  9 0  ").unwrap().contains("on one line"));
        assert!(value_fault("       x       ").unwrap().contains("at least 8"));
        assert!(value_fault("12345678\0").unwrap().contains("NUL"));
        assert!(value_fault("function").unwrap().contains("one word"));
        assert_eq!(value_fault("function1"), None);
        assert!(value_fault(&"x".repeat(LONGEST + 1)).unwrap().contains("at most"));
    }
}
