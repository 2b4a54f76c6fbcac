//! What the server must survive, tried on the real program.

mod kills;
mod world;
