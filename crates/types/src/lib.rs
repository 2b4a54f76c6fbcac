//! The words of Guildhall as types: ids, domain structs, rights, the state machines of a feature and of a run, events,
//! limits, and the decision of what runs next. Nothing here does I/O; everything above speaks in these.

pub mod access;
pub mod address;
pub mod agent;
pub mod alert;
pub mod at_work;
pub mod audit;
pub mod auto;
pub mod backup;
pub mod blot;
pub mod boundary;
pub mod budget;
pub mod change;
pub mod chat;
pub mod clock;
pub mod event;
pub mod factor;
pub mod feature;
pub mod feature_text;
pub mod forecast;
pub mod guide;
pub mod ids;
pub mod image;
pub mod knowledge;
pub mod limits;
pub mod mail;
pub mod mcp;
pub mod member;
pub mod network;
pub mod notification;
pub mod pipeline;
pub mod plan;
pub mod price;
pub mod project;
pub mod reading;
pub mod remote;
pub mod report;
pub mod retention;
pub mod rights;
pub mod room;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod secret;
pub mod service;
mod stage;
pub mod system;
mod text_enum;
pub mod tidy;
pub mod trace;
pub mod trial;
pub mod usage;
pub mod webhook;
pub mod window;

pub use clock::{Clock, FixedClock, SystemClock};
pub use ids::*;
pub use text_enum::UnknownText;

/// A moment in UTC, to the microsecond (what both databases can hold).
#[doc(alias = "time")]
pub type DateTime = chrono::DateTime<chrono::Utc>;
