//! What the server must survive, tried on the real program.

mod disks;
mod invariants;
mod kills;
mod nodes;
mod postgres;
mod provider;
mod stopped;
mod unsaved;
mod world;

use std::ffi::OsStr;

/// A program of the machine's, for what an operator or an accident would do.
#[expect(clippy::disallowed_methods, reason = "the tests' own programs")]
fn program(name: impl AsRef<OsStr>) -> std::process::Command {
    std::process::Command::new(name)
}

/// Says something to whoever reads what the test printed.
#[expect(clippy::print_stderr, reason = "a seed that is not told cannot be tried again")]
fn tell(words: &str) {
    eprintln!("{words}");
}
