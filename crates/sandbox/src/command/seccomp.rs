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

/// Kinds of sockets that can be made.
const SOCKETS: &[libc::c_int] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];

/// Filters as bubblewrap takes them, each to be loaded beside the others.
pub(crate) fn programs() -> io::Result<&'static [Vec<u8>]> {
    static PROGRAMS: LazyLock<Result<Vec<Vec<u8>>, BackendError>> =
        LazyLock::new(|| Ok(vec![refused()?, without_clone3()?, sockets()?]));
    PROGRAMS.as_deref().map_err(|error| io::Error::other(format!("no system call filter can be made: {error}")))
}

fn refused() -> Result<Vec<u8>, BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    for flag in NEW_NAMESPACE.iter().map(|flag| u64::from(flag.cast_unsigned())) {
        let made = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(flag), flag)?;
        rules.entry(libc::SYS_clone).or_default().push(SeccompRule::new(vec![made])?);
    }
    for request in REFUSED_REQUESTS {
        let asked = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *request)?;
        rules.entry(libc::SYS_ioctl).or_default().push(SeccompRule::new(vec![asked])?);
    }
    compile(rules, libc::EPERM).map(|program| bytes(&program))
}

/// The flags of clone3 lie in memory, where no filter sees them. Without it, programs fall back to clone.
fn without_clone3() -> Result<Vec<u8>, BackendError> {
    let program = compile(Rules::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)?;
    if cfg!(target_arch = "x86_64") {
        return Ok(bytes(&[X32.as_slice(), &program].concat()));
    }
    Ok(bytes(&program))
}

/// Calls of the x32 kind carry this bit on top of their number; to the rules above they would be unknown. Nothing uses
/// them, so they do not exist: load the number, and if it has the bit, answer ENOSYS.
const X32: [sock_filter; 3] = [
    sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 },
    sock_filter { code: 0x35, jt: 0, jf: 1, k: 0x4000_0000 },
    sock_filter { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned() },
];

fn sockets() -> Result<Vec<u8>, BackendError> {
    let other = SOCKETS
        .iter()
        .map(|kind| {
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, u64::from(kind.cast_unsigned()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let rules = Rules::from([(libc::SYS_socket, vec![SeccompRule::new(other)?])]);
    compile(rules, libc::EAFNOSUPPORT).map(|program| bytes(&program))
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

    #[test]
    fn there_are_three_filters_of_whole_instructions() {
        let programs = programs().unwrap();
        assert_eq!(programs.len(), 3);
        for program in programs {
            assert!(!program.is_empty() && program.len() % 8 == 0 && program.len() / 8 < 4096);
        }
        // Most kernels know no x32 calls at all, so that they are refused is not seen by trying them.
        #[cfg(target_arch = "x86_64")]
        assert!(programs[1].starts_with(&bytes(&X32)));
    }
}
