//! Toolchains outside of `/usr`: what a folder of one holds, and what commands need in their environment to use it.
//!
//! The operator lists folders. They appear where they are, read-only; which variables belong to which is known here, by what is
//! in a folder. A folder that holds keys as well is refused.

use std::path::{Path, PathBuf};

use crate::command::bindable;

/// A toolchain that the operator listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// What it is, such as "Rust (rustup)".
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// Variables that its programs go by.
    pub env: Vec<(String, String)>,
    /// Folders of programs.
    pub bins: Vec<PathBuf>,
}

/// The toolchains that commands find.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toolchains(Vec<Toolchain>);

/// What is recognised: a name, what must be in the folder, and what follows.
struct Kind {
    name: &'static str,
    /// Paths of which each must be there.
    marks: &'static [&'static str],
    /// A variable that names the folder itself.
    home: Option<&'static str>,
    /// Folders of programs below it that are there.
    bins: &'static [&'static str],
    /// A folder with a folder for each version, of which the chosen one, else the latest, has its programs in `bin`.
    versions: Option<&'static str>,
}

const fn kind(
    name: &'static str,
    marks: &'static [&'static str],
    home: Option<&'static str>,
    bins: &'static [&'static str],
    versions: Option<&'static str>,
) -> Kind {
    Kind { name, marks, home, bins, versions }
}

/// The table. The first that fits counts.
const KINDS: &[Kind] = &[
    kind("Rust (programs)", &["cargo", "rustc"], None, &["."], None),
    kind("Rust (toolchains)", &["toolchains", "settings.toml"], Some("RUSTUP_HOME"), &[], None),
    kind("Node (nvm)", &["versions/node"], Some("NVM_DIR"), &[], Some("versions/node")),
    kind("Python (pyenv)", &["libexec/pyenv"], Some("PYENV_ROOT"), &["shims", "bin"], Some("versions")),
    kind("Python (uv)", &[".lock", ".temp"], Some("UV_PYTHON_INSTALL_DIR"), &[], Some(".")),
    kind("Ruby (rbenv)", &["libexec/rbenv"], Some("RBENV_ROOT"), &["shims", "bin"], Some("versions")),
    kind("SDKMAN", &["candidates"], Some("SDKMAN_DIR"), &[], None),
    kind("asdf", &["shims", "installs"], Some("ASDF_DATA_DIR"), &["shims", "bin"], None),
    kind("Go", &["bin/go", "src/runtime"], Some("GOROOT"), &["bin"], None),
    kind("Java", &["bin/java", "release"], Some("JAVA_HOME"), &["bin"], None),
    kind("Gradle", &["bin/gradle"], Some("GRADLE_HOME"), &["bin"], None),
    kind("Maven", &["bin/mvn"], Some("MAVEN_HOME"), &["bin"], None),
    kind("Deno", &["bin/deno"], None, &["bin"], None),
    kind("Bun", &["bin/bun"], Some("BUN_INSTALL"), &["bin"], None),
    kind("Node", &["bin/node"], None, &["bin"], None),
    kind("Programs", &["bin"], None, &["bin"], None),
];

/// What a folder holds that is nobody's but its owner's: keys and tokens of programs. A folder with one of them is not shown to
/// agents.
const KEYS: &[&str] = &[
    ".aws",
    ".config",
    ".docker",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".ssh",
    "auth.json",
    "credentials",
    "credentials.toml",
    "id_ed25519",
    "id_rsa",
];

/// Where toolchains usually are: below the home folder, and elsewhere.
const USUAL: &[&str] = &[
    ".cargo/bin",
    ".rustup",
    ".nvm",
    ".pyenv",
    ".rbenv",
    ".sdkman",
    ".asdf",
    ".bun",
    ".deno",
    ".local/share/uv/python",
    "go",
    "sdk/go",
];
/// Variables that say where one is.
const NAMED: &[&str] =
    &["RUSTUP_HOME", "NVM_DIR", "PYENV_ROOT", "RBENV_ROOT", "SDKMAN_DIR", "ASDF_DATA_DIR", "GOROOT", "JAVA_HOME"];
/// Folders with a folder for each program.
const SHELVES: &[&str] = &["/opt", "/usr/local"];

impl Toolchains {
    /// Looks at the folders that the operator listed. Blocks, briefly.
    ///
    /// # Errors
    /// What is wrong with each that cannot be used, in a sentence that says what to do.
    pub fn look(folders: &[PathBuf]) -> Result<Self, Vec<String>> {
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        for folder in folders {
            match look(folder) {
                Ok(toolchain) => found.push(toolchain),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(Self(found)) } else { Err(faults) }
    }

    /// Each of them, in the operator's order.
    pub fn all(&self) -> &[Toolchain] {
        &self.0
    }

    /// Folders to be shown. What is below `/usr` is there already.
    pub fn read_only(&self) -> impl Iterator<Item = PathBuf> {
        self.0.iter().filter(|one| !one.path.starts_with("/usr")).map(|one| one.path.clone())
    }

    /// The variables of all of them; of two with one name, the first counts.
    pub fn env(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = Vec::new();
        for (key, value) in self.0.iter().flat_map(|one| &one.env) {
            if !all.iter().any(|(other, _)| other == key) {
                all.push((key.clone(), value.clone()));
            }
        }
        all
    }

    /// Folders of programs, in order.
    pub fn path(&self) -> Vec<PathBuf> {
        self.0.iter().flat_map(|one| one.bins.clone()).collect()
    }
}

/// The toolchains on this machine that an operator may want to list: in the folders where they usually are, and where variables
/// of the environment say. Blocks, briefly.
pub fn on_this_machine(home: Option<&Path>, env: &dyn Fn(&str) -> Option<PathBuf>) -> Vec<Toolchain> {
    let mut folders: Vec<PathBuf> = NAMED.iter().filter_map(|name| env(name)).collect();
    folders.extend(home.into_iter().flat_map(|home| USUAL.iter().map(|usual| home.join(usual))));
    for shelf in SHELVES {
        let entries = std::fs::read_dir(shelf).into_iter().flatten().flatten();
        let mut below: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.join("bin").is_dir()).collect();
        below.sort();
        folders.extend(below);
    }
    let mut found: Vec<Toolchain> = Vec::new();
    for folder in folders {
        // Where a link leads is what is listed.
        let Ok(folder) = folder.canonicalize() else { continue };
        if let Ok(toolchain) = look(&folder)
            && toolchain.name != "Programs"
            && !found.iter().any(|other| other.path == toolchain.path)
        {
            found.push(toolchain);
        }
    }
    found
}

fn look(folder: &Path) -> Result<Toolchain, String> {
    let shown = folder.display();
    if !folder.is_absolute() {
        return Err(format!("{shown}: give the whole path, from the root"));
    }
    if !folder.is_dir() {
        return Err(format!("{shown}: there is no such folder; take it off the list, or install the toolchain"));
    }
    if !folder.starts_with("/usr") {
        bindable(folder).map_err(|error| error.to_string())?;
    }
    recognized(folder)
}

/// What a folder holds.
fn recognized(folder: &Path) -> Result<Toolchain, String> {
    let shown = folder.display();
    if let Some(key) = KEYS.iter().find(|key| folder.join(key).symlink_metadata().is_ok()) {
        let instead = folder.join("bin");
        let instead = if instead.is_dir() {
            format!("list {} instead", instead.display())
        } else {
            "list a folder in it".to_owned()
        };
        return Err(format!("{shown}: it holds {key}, which may let agents in elsewhere; {instead}"));
    }
    let there = |path: &&str| folder.join(path).exists();
    let Some(kind) = KINDS.iter().find(|kind| kind.marks.iter().all(there)) else {
        return Err(format!(
            "{shown}: there is no toolchain that is known, and no folder bin; list the folder that has one"
        ));
    };
    let mut env: Vec<(String, String)> = kind.home.map(|key| (key.to_owned(), shown.to_string())).into_iter().collect();
    let mut bins = Vec::new();
    if let Some(versions) = kind.versions {
        bins.extend(version(folder, &folder.join(versions)));
    }
    if kind.name == "SDKMAN" {
        candidates(folder, &mut env, &mut bins);
    }
    bins.extend(
        kind.bins
            .iter()
            .filter(|bin| there(bin))
            .map(|bin| if *bin == "." { folder.to_owned() } else { folder.join(bin) }),
    );
    Ok(Toolchain { name: kind.name.to_owned(), path: folder.to_owned(), env, bins })
}

/// The programs of the version that is chosen (nvm's `alias/default`, pyenv's and rbenv's `version`), else of the latest.
fn version(folder: &Path, versions: &Path) -> Option<PathBuf> {
    let chosen = ["alias/default", "version"].iter().find_map(|file| std::fs::read_to_string(folder.join(file)).ok());
    let chosen = chosen.unwrap_or_default();
    let chosen = chosen.lines().next().unwrap_or_default().trim().trim_start_matches('v');
    let mut all: Vec<(Vec<u64>, String)> = std::fs::read_dir(versions)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| versions.join(name).join("bin").is_dir())
        .map(|name| (numbers(&name), name))
        .collect();
    all.sort();
    let fits = |name: &str| {
        let name = name.trim_start_matches('v');
        !chosen.is_empty() && (name == chosen || name.strip_prefix(chosen).is_some_and(|rest| rest.starts_with('.')))
    };
    let found = all.iter().rev().find(|(_, name)| fits(name)).or(all.last())?;
    Some(versions.join(&found.1).join("bin"))
}

fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// What SDKMAN has: each candidate as it is chosen.
fn candidates(folder: &Path, env: &mut Vec<(String, String)>, bins: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder.join("candidates")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    for name in names {
        let current = folder.join("candidates").join(&name).join("current");
        if current.join("bin").is_dir() {
            env.push((format!("{}_HOME", name.to_uppercase()), current.display().to_string()));
            bins.push(current.join("bin"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lay(at: &Path, paths: &[&str]) {
        for path in paths {
            match path.strip_suffix('/') {
                Some(folder) => fs::create_dir_all(at.join(folder)).unwrap(),
                None => {
                    fs::create_dir_all(at.join(path).parent().unwrap()).unwrap();
                    fs::write(at.join(path), "").unwrap();
                }
            }
        }
    }

    #[test]
    fn a_folder_says_what_it_is_and_what_its_programs_need() {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().canonicalize().unwrap();
        lay(&at, &["cargo/bin/cargo", "cargo/bin/rustc", "rustup/toolchains/", "rustup/settings.toml"]);
        lay(
            &at,
            &["nvm/versions/node/v9.1.0/bin/", "nvm/versions/node/v20.11.1/bin/", "nvm/versions/node/v18.2.0/bin/"],
        );
        lay(
            &at,
            &[
                "pyenv/libexec/pyenv",
                "pyenv/shims/",
                "pyenv/bin/",
                "pyenv/versions/3.9.1/bin/",
                "pyenv/versions/3.12.0/bin/",
            ],
        );
        lay(&at, &["go/bin/go", "go/src/runtime/", "sdkman/candidates/java/current/bin/", "tool/bin/"]);
        fs::write(at.join("pyenv/version"), "3.9\n").unwrap();
        let list = ["cargo/bin", "rustup", "nvm", "pyenv", "go", "sdkman", "tool"].map(|name| at.join(name));
        let found = Toolchains(list.iter().map(|folder| recognized(folder).unwrap()).collect());
        let names: Vec<&str> = found.all().iter().map(|one| one.name.as_str()).collect();
        assert_eq!(
            names,
            ["Rust (programs)", "Rust (toolchains)", "Node (nvm)", "Python (pyenv)", "Go", "SDKMAN", "Programs"]
        );
        let below = |path: &Path| path.strip_prefix(&at).unwrap().display().to_string();
        let path: Vec<String> = found.path().iter().map(|bin| below(bin)).collect();
        assert_eq!(
            path,
            [
                "cargo/bin",
                "nvm/versions/node/v20.11.1/bin",
                "pyenv/versions/3.9.1/bin",
                "pyenv/shims",
                "pyenv/bin",
                "go/bin",
                "sdkman/candidates/java/current/bin",
                "tool/bin"
            ]
        );
        let env = found.env();
        let value = |key: &str| env.iter().find(|(name, _)| name == key).map(|(_, value)| below(Path::new(value)));
        assert_eq!(value("RUSTUP_HOME").as_deref(), Some("rustup"));
        assert_eq!(value("GOROOT").as_deref(), Some("go"));
        assert_eq!(value("JAVA_HOME").as_deref(), Some("sdkman/candidates/java/current"));
        assert_eq!(found.read_only().count(), 7);

        // Below /tmp nothing of the host is shown, so nothing there is offered.
        let offered = on_this_machine(Some(&at), &|name| (name == "PYENV_ROOT").then(|| at.join("pyenv")));
        assert!(offered.iter().all(|one| !one.path.starts_with(&at)), "{offered:?}");
    }

    #[test]
    fn no_secret_takes_the_place_of_what_toolchains_go_by() {
        for key in KINDS.iter().filter_map(|kind| kind.home) {
            assert!(guildhall_types::secret::name_fault(key).is_some(), "{key}");
        }
    }

    #[test]
    fn what_cannot_be_shown_is_refused_with_what_to_do() {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().canonicalize().unwrap();
        lay(&at, &["cargo/bin/cargo", "cargo/credentials.toml", "empty/", "home/.ssh/"]);
        for (name, said) in [("cargo", "cargo/bin instead"), ("empty", "no folder bin"), ("home", "it holds .ssh")] {
            let fault = recognized(&at.join(name)).unwrap_err();
            assert!(fault.contains(said), "{said}: {fault}");
        }
        let faults =
            Toolchains::look(&["bin".into(), at.join("absent"), "/etc".into(), at.join("cargo/bin")]).unwrap_err();
        assert_eq!(faults.len(), 4);
        for (fault, said) in
            faults.iter().zip(["the whole path", "no such folder", "a folder of its own", "a folder of its own"])
        {
            assert!(fault.contains(said), "{said}: {fault}");
        }
    }
}
