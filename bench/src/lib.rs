//! Simulations that tests and measurements share.

pub mod governor;
