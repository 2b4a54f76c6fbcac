//! What the kernel refuses to a command, whatever the command is: ways to look into other processes, to take down the
//! sandbox's walls from within, and young or wide parts of the kernel that no build needs.

use std::collections::BTreeMap;
use std::io;
use std::sync::LazyLock;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Steps of a filter: to end with an answer, and to go on at a later step.
const RETURN: u16 = 0x06;
const JUMP: u16 = 0x05;

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
    static PROGRAM: LazyLock<Result<Vec<u8>, BackendError>> =
        LazyLock::new(|| Ok(bytes(&one_after_the_other([refused()?, without_clone3()?, sockets()?]))));
    PROGRAM.as_deref().map_err(|error| io::Error::other(format!("no system call filter can be made: {error}")))
}

/// One program that goes through several: what one of them allows is for the next one to judge. The kernel would do the same with
/// each loaded for itself, but makes machine code of each for every command, and asks each at every call.
fn one_after_the_other<const N: usize>(programs: [BpfProgram; N]) -> BpfProgram {
    let mut whole = BpfProgram::new();
    for (at, mut program) in programs.into_iter().enumerate() {
        if at + 1 < N {
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

fn refused() -> Result<BpfProgram, BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    for flag in NEW_NAMESPACE.iter().map(|flag| u64::from(flag.cast_unsigned())) {
        let made = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(flag), flag)?;
        rules.entry(libc::SYS_clone).or_default().push(SeccompRule::new(vec![made])?);
    }
    for request in REFUSED_REQUESTS {
        let asked = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *request)?;
        rules.entry(libc::SYS_ioctl).or_default().push(SeccompRule::new(vec![asked])?);
    }
    compile(rules, libc::EPERM)
}

/// The flags of clone3 lie in memory, where no filter sees them. Without it, programs fall back to clone.
fn without_clone3() -> Result<BpfProgram, BackendError> {
    let program = compile(Rules::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)?;
    Ok(if cfg!(target_arch = "x86_64") { [X32.as_slice(), &program].concat() } else { program })
}

/// Calls of the x32 kind carry this bit on top of their number; to the rules above they would be unknown. Nothing uses
/// them, so they do not exist: load the number, and if it has the bit, answer ENOSYS.
const X32: [sock_filter; 3] = [
    sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 },
    sock_filter { code: 0x35, jt: 0, jf: 1, k: 0x4000_0000 },
    sock_filter { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned() },
];

fn sockets() -> Result<BpfProgram, BackendError> {
    let mut rules = Rules::new();
    for (call, kinds) in [(libc::SYS_socket, SOCKETS), (libc::SYS_socketpair, PAIRS)] {
        let other = |kind: &libc::c_int| {
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, u64::from(kind.cast_unsigned()))
        };
        rules.insert(call, vec![SeccompRule::new(kinds.iter().map(other).collect::<Result<Vec<_>, _>>()?)?]);
    }
    compile(rules, libc::EAFNOSUPPORT)
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

    /// What a program answers to a call, as the kernel runs it.
    fn answer(program: &[sock_filter], arch: u32, call: i64, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend((call as u32).to_ne_bytes());
        data.extend(arch.to_ne_bytes());
        data.extend(0_u64.to_ne_bytes());
        data.extend(arguments.iter().flat_map(|argument| argument.to_ne_bytes()));
        let (mut at, mut held) = (0, 0_u32);
        loop {
            let step = &program[at];
            let k = step.k;
            let mut jump = |holds: bool| at += usize::from(if holds { step.jt } else { step.jf });
            match step.code {
                0x20 => held = u32::from_ne_bytes(data[k as usize..k as usize + 4].try_into().unwrap()),
                0x54 => held &= k,
                JUMP => at += k as usize,
                0x15 => jump(held == k),
                0x25 => jump(held > k),
                0x35 => jump(held >= k),
                RETURN => return k,
                other => panic!("{other:#x}"),
            }
            at += 1;
        }
    }

    #[test]
    fn one_filter_answers_as_all_of_its_parts_would() {
        let whole = program().unwrap();
        assert!(whole.len().is_multiple_of(8) && whole.len() / 8 < 4096);
        let parts = [refused().unwrap(), without_clone3().unwrap(), sockets().unwrap()];
        let whole = one_after_the_other(parts.clone());
        assert_eq!(bytes(&whole), program().unwrap());
        let own = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
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
            let each = parts.each_ref().map(|part| answer(part, arch, call, arguments));
            let first = each.into_iter().find(|answer| *answer != libc::SECCOMP_RET_ALLOW);
            let found = answer(&whole, arch, call, arguments);
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
                let found = answer(&whole, own, call, argument(0, kind));
                assert_eq!(found == libc::SECCOMP_RET_ALLOW, fine, "{call} {kind}");
            }
        }
    }
}
