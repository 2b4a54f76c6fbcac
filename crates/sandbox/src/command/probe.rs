//! The self-test: a command is run in a sandbox and tells what it sees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use super::bwrap::{self, Bwrap, OLDEST};
use super::net::Net;
use super::{Command, Exit, Finding, Isolation, Network, Report, Room, Sandbox, SandboxError};

/// What the command runs. It prints lines of `key=value`; a key may come more than once.
const SCRIPT: &str = r#"
for kind in user pid net ipc uts mnt cgroup; do echo "$kind=$(readlink "/proc/self/ns/$kind")"; done
echo "init=$(readlink /proc/1/ns/pid)"
while read -r line; do [[ $line == *:* ]] && echo "interface=${line%%:*}"; done < /proc/net/dev
for folder in / /usr /etc /dev /proc /run; do (: > "$folder/guildhall-probe") 2> /dev/null && echo "written=$folder"; done
[[ -e $PROBE_HIDDEN ]] && echo "seen=$PROBE_HIDDEN"
for fd in /proc/$$/fd/*; do [[ -e $fd || -L $fd ]] && echo "descriptor=${fd##*/}"; done
while read -r key value; do echo "$key$value"; done < <(sed -n -E 's/^(CapEff|CapBnd|NoNewPrivs|Seccomp):\s*/\1=/p' /proc/self/status)
echo "$PROBE_TOKEN" > /workspace/guildhall-probe
"#;

const NAMESPACES: &[&str] = &["user", "pid", "net", "ipc", "uts", "mnt", "cgroup"];

/// What the command saw.
type Seen = BTreeMap<String, Vec<String>>;

pub(crate) async fn report(sandbox: &Sandbox) -> Report {
    let isolation = sandbox.isolation;
    if isolation == Isolation::None {
        let detail = "off, because the operator wrote sandbox = \"none\": commands run as the server's own user and see \
                      all that it sees";
        let findings = vec![
            Finding { name: "isolation", ok: false, detail: detail.to_owned() },
            finding("bash", Path::new("/bin/bash").exists(), "there is a /bin/bash", "install bash as /bin/bash"),
        ];
        let usable = findings.iter().all(|found| found.ok || found.name == "isolation");
        return Report { isolation, usable, findings };
    }
    let (findings, bwrap) = examine(sandbox).await;
    let usable = bwrap.is_some();
    // The first command need not try it out again, and none goes on by what was true once.
    sandbox.usable.found(bwrap);
    Report { isolation, usable, findings }
}

/// A bubblewrap that passed, or what is wrong.
pub(crate) async fn usable(sandbox: &Sandbox) -> Result<Bwrap, SandboxError> {
    let (findings, bwrap) = examine(sandbox).await;
    bwrap.ok_or_else(|| {
        let wrong: Vec<String> = findings
            .iter()
            .filter(|found| !found.ok)
            .map(|found| format!("{}: {}", found.name, found.detail))
            .collect();
        SandboxError::Unavailable { reason: wrong.join("; ") }
    })
}

fn finding(name: &'static str, ok: bool, good: &str, bad: &str) -> Finding {
    Finding { name, ok, detail: if ok { good } else { bad }.to_owned() }
}

/// Looks at everything; there is a bubblewrap only when all of it is well.
async fn examine(sandbox: &Sandbox) -> (Vec<Finding>, Option<Bwrap>) {
    let (found, program) = program_found(sandbox.program.clone()).await;
    let mut findings = vec![found];
    let Some(program) = program else { return (findings, None) };
    let bwrap = Bwrap::new(program, sandbox.server.clone(), Arc::clone(&sandbox.etc));
    match Place::make(sandbox.tried_in.as_deref()) {
        Err(detail) => findings.push(Finding { name: "folder of the self-test", ok: false, detail }),
        Ok(place) => match try_out(&bwrap, &place).await {
            Ok(more) => findings.extend(more),
            Err(detail) => findings.push(Finding { name: "sandboxed command", ok: false, detail }),
        },
    }
    let usable = findings.iter().all(|found| found.ok);
    (findings, usable.then_some(bwrap))
}

async fn program_found(program: Option<PathBuf>) -> (Finding, Option<PathBuf>) {
    let missing = |detail: String| (Finding { name: "bubblewrap", ok: false, detail }, None);
    let Some(program) = program.or_else(bwrap::on_path) else {
        return missing(
            "not found on the PATH; install it (Debian, Ubuntu, Fedora, Arch: the package bubblewrap)".to_owned(),
        );
    };
    let at = program.display();
    match bwrap::version(&program).await {
        Err(why) => missing(format!("{at} cannot be used: {why}; install bubblewrap")),
        Ok((version, numbers)) if numbers < OLDEST => {
            let (major, minor) = OLDEST;
            missing(format!("{at} is {version}; {major}.{minor} or later is needed, for --disable-userns"))
        }
        Ok((version, _)) => {
            (Finding { name: "bubblewrap", ok: true, detail: format!("{version} at {at}") }, Some(program))
        }
    }
}

/// Where the command is run: gone when it is dropped.
struct Place {
    folder: tempfile::TempDir,
    tree: PathBuf,
    hidden: PathBuf,
}

impl Place {
    /// That this fails says nothing of the sandbox.
    fn make(below: Option<&Path>) -> Result<Self, String> {
        let below = below.map_or_else(std::env::temp_dir, Path::to_owned);
        let make = || {
            let folder = tempfile::Builder::new().prefix(".guildhall-probe-").tempdir_in(&below)?;
            let at = folder.path().canonicalize()?;
            let (tree, hidden) = (at.join("tree"), at.join("hidden"));
            fs::create_dir(&tree)?;
            fs::write(&hidden, "")?;
            Ok(Self { folder, tree, hidden })
        };
        make().map_err(|error: io::Error| {
            let below = below.display();
            format!(
                "none can be made in {below}, so nothing is known of the sandbox: {error}; make room there, or let the \
                     server's user write there"
            )
        })
    }
}

/// Runs the command and judges what it saw.
async fn try_out(bwrap: &Bwrap, place: &Place) -> Result<Vec<Finding>, String> {
    let Place { folder, tree, hidden } = place;
    let token = folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let env = [("PROBE_HIDDEN".to_owned(), hidden.display().to_string()), ("PROBE_TOKEN".to_owned(), token.clone())];
    let room = Room { env: env.into_iter().chain(bwrap.mark()).collect(), ..Room::new(tree.clone()) };
    let command = Command { line: SCRIPT.to_owned(), timeout: Duration::from_secs(20), max_output: 64 * 1024 };
    let outcome = super::start_and_watch(Some(bwrap), &room, &command, &mut |_| {}).await;
    let outcome = outcome.map_err(|error| format!("{error}; {}", advice(&error.to_string())))?;
    if outcome.exit != Exit::Code(0) {
        return Err(format!("the self-test ended with {:?} and said {:?}", outcome.exit, outcome.output));
    }
    let mut seen = Seen::new();
    for (key, value) in outcome.output.lines().filter_map(|line| line.split_once('=')) {
        seen.entry(key.to_owned()).or_default().push(value.trim().to_owned());
    }
    let written = fs::read_to_string(tree.join("guildhall-probe")).unwrap_or_default();
    let mut findings = judge(&seen);
    findings.push(finding(
        "workspace",
        written.trim() == token,
        "commands can write in the worktree",
        "what a command writes in the worktree does not arrive; is the data folder, or the one for temporary files, on an \
         odd file system?",
    ));
    findings.push(run_network(bwrap, &room).await);
    Ok(findings)
}

/// Whether commands can share a network of their own: a command in it says where it is.
async fn run_network(bwrap: &Bwrap, room: &Room) -> Finding {
    let bad = |detail: String| Finding { name: "run network", ok: false, detail };
    let net = match Net::make(bwrap).await {
        Ok(net) => net,
        Err(error) => return bad(format!("a network for the commands of a run cannot be made: {error}")),
    };
    let room = Room { network: Network::Of(net.clone()), ..room.clone() };
    let line = "readlink /proc/self/ns/net".to_owned();
    let command = Command { line, timeout: Duration::from_secs(20), max_output: 1024 };
    match super::start_and_watch(Some(bwrap), &room, &command, &mut |_| {}).await {
        Ok(outcome) if net.is_at(outcome.output.trim()) => {
            finding("run network", true, "the commands of a run share one, from which nothing leads out by itself", "")
        }
        Ok(outcome) => bad(format!("a command is not in the network of its run, but in {}", outcome.output.trim())),
        Err(error) => bad(format!(
            "a command cannot join the network of its run: {error}; if the server runs in a container, its seccomp \
             profile must allow setns"
        )),
    }
}

fn judge(seen: &Seen) -> Vec<Finding> {
    let all = |key: &str| seen.get(key).map(|values| values.join(", ")).unwrap_or_default();
    let shared: Vec<&str> = NAMESPACES
        .iter()
        .filter(|kind| {
            let here = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap_or_default();
            all(kind).is_empty() || here == Path::new(&all(kind))
        })
        .copied()
        .collect();
    let note = |name, ok, good: &str, bad: String| finding(name, ok, good, &bad);
    vec![
        note(
            "namespaces",
            shared.is_empty(),
            "user, process, network, IPC, host name, mount and cgroup namespaces are the sandbox's own",
            format!("shared with the host: {}; the kernel must allow user namespaces", shared.join(", ")),
        ),
        note(
            "processes",
            !all("pid").is_empty() && all("init") == all("pid"),
            "/proc shows the sandbox's own processes only",
            "/proc shows the host's processes; a container that runs the server must not mask /proc".to_owned(),
        ),
        note("network", all("interface") == "lo", "there is none", format!("a command sees: {}", all("interface"))),
        note("system", all("written").is_empty(), "read-only", format!("a command can write to: {}", all("written"))),
        note("files", all("seen").is_empty(), "the host's do not exist", format!("a command sees {}", all("seen"))),
        note(
            "descriptors",
            all("descriptor") == "0, 1, 2",
            "none is inherited",
            format!("a command has inherited some: {}", all("descriptor")),
        ),
        note(
            "privileges",
            all("NoNewPrivs") == "1"
                && [all("CapEff"), all("CapBnd")].iter().all(|set| set.trim_matches('0').is_empty()),
            "no capability, and none can be gained",
            format!("a command has capabilities: {} of {}", all("CapEff"), all("CapBnd")),
        ),
        note(
            "system calls",
            all("Seccomp") == "2",
            "filtered",
            "not filtered; the kernel must have CONFIG_SECCOMP_FILTER".to_owned(),
        ),
    ]
}

/// What to do when bubblewrap fails in this way, as far as the host tells.
fn advice(said: &str) -> String {
    let zero = |path: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == "0");
    let one = |path: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == "1");
    if zero("/proc/sys/kernel/unprivileged_userns_clone") {
        return "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1".to_owned();
    }
    if zero("/proc/sys/user/max_user_namespaces") {
        return "allow user namespaces: sysctl user.max_user_namespaces=10000".to_owned();
    }
    if one("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") {
        return "AppArmor restricts user namespaces: give bwrap a profile with the rule `userns,`, or run sysctl \
                kernel.apparmor_restrict_unprivileged_userns=0"
            .to_owned();
    }
    if said.contains("mount proc") {
        return "the server runs in a container that masks /proc: start that with --security-opt systempaths=unconfined"
            .to_owned();
    }
    "if the server runs in a container, its seccomp profile must allow user namespaces and mounts: start it with \
     --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
        .to_owned()
}
