//! How the C library's allocator, which this program uses, gives memory back.

/// Bytes from which on a piece of memory is asked of the kernel by itself, and given back as soon as it is free. Below the 19 MiB that
/// the hashing of a password takes, and above what requests need.
const LARGE: i32 = 1024 * 1024;
/// Heaps among which threads are spread, at least.
const FEWEST: usize = 4;

/// Lets free memory go back to the kernel. To be called before there is a second thread. What the environment says (`MALLOC_ARENA_MAX`,
/// `MALLOC_MMAP_THRESHOLD_`) holds.
///
/// As it is delivered, glibc keeps pieces as large as one that was freed before on the heap of the thread that asked for them, and has
/// eight such heaps for each processor: each thread that once hashed a password would hold 19 MiB for ever.
#[cfg(target_env = "gnu")]
pub fn give_back() {
    let heaps = std::thread::available_parallelism().map_or(FEWEST, |n| n.get().max(FEWEST));
    set("MALLOC_MMAP_THRESHOLD_", libc::M_MMAP_THRESHOLD, LARGE);
    set("MALLOC_ARENA_MAX", libc::M_ARENA_MAX, i32::try_from(heaps).unwrap_or(i32::MAX));
}

/// Other C libraries give back by themselves.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}

#[cfg(target_env = "gnu")]
fn set(name: &str, option: libc::c_int, value: i32) {
    if std::env::var_os(name).is_some() {
        return;
    }
    #[expect(unsafe_code, reason = "nothing safe sets options of the allocator; it takes a number and keeps it")]
    // SAFETY: it reads and writes nothing of ours, and one that it refuses changes nothing.
    unsafe {
        libc::mallopt(option, value);
    }
}

#[cfg(test)]
#[cfg(target_env = "gnu")]
mod tests {
    use std::sync::{Arc, Barrier, mpsc};
    use std::thread;

    use super::*;

    /// Bytes that one hashing takes.
    const HASHING: usize = 19 * 1024 * 1024;
    const THREADS: usize = 12;

    #[test]
    fn threads_that_have_hashed_hold_nothing_of_it() {
        give_back();
        let (hashed, wait) = mpsc::channel();
        // They stay until it was looked, as those of the server do, and hash one after the other: what matters is what each leaves.
        let looked = Arc::new(Barrier::new(THREADS + 1));
        for _ in 0..THREADS {
            let (hashed, looked) = (hashed.clone(), Arc::clone(&looked));
            thread::spawn(move || {
                // After the first, an allocator that learns from what is freed takes the heap for pieces as large.
                for _ in 0..3 {
                    std::hint::black_box(vec![1_u8; HASHING]);
                }
                hashed.send(()).unwrap();
                looked.wait();
            });
            wait.recv().unwrap();
        }
        let held = held();
        looked.wait();
        assert!(held < 4 * HASHING, "{held} bytes are held");
    }

    /// Bytes of memory that this process holds, files aside.
    fn held() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }
}
