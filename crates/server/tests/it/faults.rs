//! What the server must survive, tried on the real program.

mod disks;
mod kills;
mod postgres;
mod provider;
mod stopped;
mod world;
