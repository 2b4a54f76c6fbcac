//! The rate governor on trial, in virtual time: many agents of four members, one of whom owns half of them, share a key at
//! a provider whose limits hold a third of what they want. Beside them somebody unseen spends on the same key.

mod policy;
mod provider;
mod trial;

pub use policy::{AdditiveFifo, BackOff, Governed, Policy};
pub use provider::Limits;
pub use trial::{Report, Scenario, run};

/// What can be tried: a name, and how to make it with a seed.
pub type Maker = (&'static str, fn(u64) -> Box<dyn Policy>);

/// The policies that are compared, the governor last.
pub const POLICIES: [Maker; 3] = [
    ("back-off with retry-after, 4 tries", |seed| Box::new(BackOff::new(seed))),
    ("additive increase, first in first out", |_| Box::new(AdditiveFifo::default())),
    ("governor", |seed| Box::new(Governed::new(seed))),
];
