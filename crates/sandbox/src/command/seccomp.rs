//! What the kernel refuses to a command, whatever the command is: ways to look into other processes, to take down the
//! sandbox's walls from within, and young or wide parts of the kernel that no build needs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::LazyLock;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Steps of a filter: to end with an answer, to go on at a later step, to load a word of the call, and to go on at one of two later
/// steps by that word.
const RETURN: u16 = 0x06;
const JUMP: u16 = 0x05;
const LOAD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;

/// Where in a call its number is, and the architecture that it is made for.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// This one, as the kernel's audit calls it.
const OWN: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
/// Calls of the x32 kind carry this bit on top of their number.
const X32: u32 = 0x4000_0000;
/// Calls that are compared one after the other rather than halved again.
const FEW: usize = 3;

/// System calls that answer EPERM.
const REFUSED: &[i64] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    // Parts of the kernel with a history.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_by_handle_at,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
];

/// Flags of clone that make a namespace.
const NEW_NAMESPACE: &[libc::c_int] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Requests that put words into a terminal's mouth: TIOCSTI and TIOCLINUX.
const REFUSED_REQUESTS: &[u64] = &[0x5412, 0x541C];

/// Kinds of sockets that can be made, and in pairs: the kernel makes pairs of others as well, such as of vsock.
const SOCKETS: &[libc::c_int] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
const PAIRS: &[libc::c_int] = &[libc::AF_UNIX];

/// The filter as bubblewrap takes it.
pub(crate) fn program() -> io::Result<&'static [u8]> {
    static PROGRAM: LazyLock<Result<Vec<u8>, BackendError>> = LazyLock::new(|| Ok(bytes(&whole()?)));
    PROGRAM.as_deref().map_err(|error| io::Error::other(format!("no system call filter can be made: {error}")))
}

fn whole() -> Result<BpfProgram, BackendError> {
    let rules = rules()?;
    let named = rules.iter().flat_map(|(rules, _)| rules.keys()).filter_map(|call| u32::try_from(*call).ok()).collect();
    Ok([sieve(&named)?, one_after_the_other(programs(rules)?)].concat())
}

/// Calls, by which arguments each is refused, if not by any, and what is answered to them.
fn rules() -> Result<[(Rules, libc::c_int); 3], BackendError> {
    // The flags of clone3 lie in memory, where no filter sees them. Without it, programs fall back to clone.
    let without_clone3 = Rules::from([(libc::SYS_clone3, Vec::new())]);
    Ok([(refused()?, libc::EPERM), (without_clone3, libc::ENOSYS), (sockets()?, libc::EAFNOSUPPORT)])
}

fn programs<const N: usize>(rules: [(Rules, libc::c_int); N]) -> Result<Vec<BpfProgram>, BackendError> {
    let mut programs = rules.into_iter().map(|(rules, error)| compile(rules, error)).collect::<Result<Vec<_>, _>>()?;
    if cfg!(target_arch = "x86_64") {
        programs.push(WITHOUT_X32.to_vec());
    }
    Ok(programs)
}

/// Allows at once what no rule names; the rest goes on to the steps that follow. As it takes a filter, the kernel walks through it for
/// every call that there is, to know which are always allowed. Where each walk asked for one number after the other, that was the
/// longest part of a command's start that is not bubblewrap's own.
fn sieve(named: &BTreeSet<u32>) -> Result<BpfProgram, BackendError> {
    let named: Vec<u32> = named.iter().copied().collect();
    let mut steps = vec![step(LOAD, ARCHITECTURE), compare(IF_EQUAL, OWN, 1, 0), GO_ON];
    steps.extend([step(LOAD, NUMBER), compare(IF_AT_LEAST, X32, 0, 1), GO_ON]);
    halve(&named, &mut steps)?;
    let end = steps.len();
    for (at, step) in steps.iter_mut().enumerate().filter(|(_, step)| step.code == JUMP) {
        step.k = (end - at - 1) as u32;
    }
    Ok(steps)
}

/// Adds steps that allow the loaded number unless it is one of these, in order.
fn halve(named: &[u32], steps: &mut BpfProgram) -> Result<(), BackendError> {
    if named.len() <= FEW {
        let each = named.iter().enumerate();
        steps.extend(each.map(|(at, call)| compare(IF_EQUAL, *call, (named.len() - at) as u8, 0)));
        steps.extend([step(RETURN, libc::SECCOMP_RET_ALLOW), GO_ON]);
        return Ok(());
    }
    let (below, others) = named.split_at(named.len() / 2);
    let mut lower = BpfProgram::new();
    halve(below, &mut lower)?;
    let over = u8::try_from(lower.len()).map_err(|_| BackendError::FilterTooLarge(lower.len()))?;
    steps.push(compare(IF_AT_LEAST, others[0], over, 0));
    steps.append(&mut lower);
    halve(others, steps)
}

/// Goes on behind all steps of the sieve; how many these are is written in when they are known.
const GO_ON: sock_filter = step(JUMP, 0);

const fn step(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Passes over so many steps if it holds, and over so many others if not.
const fn compare(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// One program that goes through several: what one of them allows is for the next one to judge. The kernel would do the same with
/// each loaded for itself, but makes machine code of each for every command, and asks each at every call.
fn one_after_the_other(programs: Vec<BpfProgram>) -> BpfProgram {
    let (mut whole, parts) = (BpfProgram::new(), programs.len());
    for (at, mut program) in programs.into_iter().enumerate() {
        if at + 1 < parts {
            let end = program.len();
            for (at, step) in program.iter_mut().enumerate() {
                if (step.code, step.k) == (RETURN, libc::SECCOMP_RET_ALLOW) {
                    // As many steps as come after this one.
                    *step = sock_filter { code: JUMP, jt: 0, jf: 0, k: (end - at - 1) as u32 };
                }
            }
        }
        whole.append(&mut program);
    }
    whole
}

fn refused() -> Result<Rules, BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    for flag in NEW_NAMESPACE.iter().map(|flag| u64::from(flag.cast_unsigned())) {
        let made = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(flag), flag)?;
        rules.entry(libc::SYS_clone).or_default().push(SeccompRule::new(vec![made])?);
    }
    for request in REFUSED_REQUESTS {
        let asked = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *request)?;
        rules.entry(libc::SYS_ioctl).or_default().push(SeccompRule::new(vec![asked])?);
    }
    Ok(rules)
}

/// Calls of the x32 kind would be unknown to the rules. Nothing uses them, so they do not exist.
const WITHOUT_X32: [sock_filter; 4] = [
    step(LOAD, NUMBER),
    compare(IF_AT_LEAST, X32, 0, 1),
    step(RETURN, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned()),
    step(RETURN, libc::SECCOMP_RET_ALLOW),
];

fn sockets() -> Result<Rules, BackendError> {
    let mut rules = Rules::new();
    for (call, kinds) in [(libc::SYS_socket, SOCKETS), (libc::SYS_socketpair, PAIRS)] {
        let other = |kind: &libc::c_int| {
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, u64::from(kind.cast_unsigned()))
        };
        rules.insert(call, vec![SeccompRule::new(kinds.iter().map(other).collect::<Result<Vec<_>, _>>()?)?]);
    }
    Ok(rules)
}

/// A program that answers `error` to these calls. A call of another architecture kills its process.
fn compile(rules: Rules, error: libc::c_int) -> Result<BpfProgram, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let answer = SeccompAction::Errno(error.cast_unsigned());
    SeccompFilter::new(rules, SeccompAction::Allow, answer, arch)?.try_into()
}

fn bytes(program: &[sock_filter]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for step in program {
        bytes.extend(step.code.to_ne_bytes());
        bytes.extend([step.jt, step.jf]);
        bytes.extend(step.k.to_ne_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program answers to a call, as the kernel runs it, and after how many steps.
    fn answer(program: &[sock_filter], arch: u32, call: i64, arguments: [u64; 6]) -> (u32, usize) {
        let mut data = Vec::new();
        data.extend((call as u32).to_ne_bytes());
        data.extend(arch.to_ne_bytes());
        data.extend(0_u64.to_ne_bytes());
        data.extend(arguments.iter().flat_map(|argument| argument.to_ne_bytes()));
        let (mut at, mut held) = (0, 0_u32);
        for steps in 1.. {
            let step = &program[at];
            let k = step.k;
            let mut jump = |holds: bool| at += usize::from(if holds { step.jt } else { step.jf });
            match step.code {
                LOAD => held = u32::from_ne_bytes(data[k as usize..k as usize + 4].try_into().unwrap()),
                0x54 => held &= k,
                JUMP => at += k as usize,
                IF_EQUAL => jump(held == k),
                0x25 => jump(held > k),
                IF_AT_LEAST => jump(held >= k),
                RETURN => return (k, steps),
                other => panic!("{other:#x}"),
            }
            at += 1;
        }
        unreachable!("a program ends with an answer")
    }

    #[test]
    fn what_no_rule_names_is_allowed_after_few_steps() {
        let whole = whole().unwrap();
        let steps = |call| answer(&whole, OWN, call, [0; 6]);
        let allowed: Vec<usize> = (0..600)
            .map(steps)
            .filter_map(|(answer, steps)| (answer == libc::SECCOMP_RET_ALLOW).then_some(steps))
            .collect();
        // All but clone, ioctl and both ways to a socket, whose arguments decide.
        let quick = allowed.iter().filter(|steps| **steps <= 14).count();
        assert!(allowed.len() > 500 && allowed.len() - quick <= 4, "{allowed:?}");
    }

    #[test]
    fn one_filter_answers_as_all_of_its_parts_would() {
        let whole = whole().unwrap();
        assert!(whole.len() < 4096);
        assert_eq!(bytes(&whole), program().unwrap());
        let parts = programs(rules().unwrap()).unwrap();
        let own = OWN;
        let argument = |at: usize, value: u64| {
            let mut arguments = [0; 6];
            arguments[at] = value;
            arguments
        };
        let of_calls = (0..600).map(|call| (own, call, [0; 6]));
        let x32 = (0..600).map(|call| (own, call | 0x4000_0000, [0; 6]));
        let foreign = (0..400).map(|call| (0x4000_0003, call, [0; 6]));
        let of_clone = (0..32).map(|bit| (own, libc::SYS_clone, argument(0, 1 << bit)));
        let of_ioctl = (0x5400..0x5430).map(|request| (own, libc::SYS_ioctl, argument(1, request | 1 << 40)));
        let of_socket = (0..60).map(|kind| (own, libc::SYS_socket, argument(0, kind)));
        let of_socket = of_socket.chain((0..60).map(|kind| (own, libc::SYS_socketpair, argument(0, kind))));
        let mut answers = std::collections::BTreeSet::new();
        for (arch, call, arguments) in
            of_calls.chain(x32).chain(foreign).chain(of_clone).chain(of_ioctl).chain(of_socket)
        {
            let mut each = parts.iter().map(|part| answer(part, arch, call, arguments).0);
            let first = each.find(|answer| *answer != libc::SECCOMP_RET_ALLOW);
            let (found, _) = answer(&whole, arch, call, arguments);
            assert_eq!(found, first.unwrap_or(libc::SECCOMP_RET_ALLOW), "{arch:#x} {call} {arguments:?}");
            answers.insert(found);
        }
        let of = |error: libc::c_int| libc::SECCOMP_RET_ERRNO | error.cast_unsigned();
        let known = [of(libc::EPERM), of(libc::ENOSYS), of(libc::EAFNOSUPPORT), libc::SECCOMP_RET_ALLOW];
        let known = known.into_iter().chain([libc::SECCOMP_RET_KILL_PROCESS]).collect();
        assert_eq!(answers, known);
        for (call, kinds) in [(libc::SYS_socket, SOCKETS), (libc::SYS_socketpair, PAIRS)] {
            for kind in 0..60 {
                let fine = kinds.iter().any(|fine| u64::from(fine.cast_unsigned()) == kind);
                let (found, _) = answer(&whole, own, call, argument(0, kind));
                assert_eq!(found == libc::SECCOMP_RET_ALLOW, fine, "{call} {kind}");
            }
        }
    }
}
