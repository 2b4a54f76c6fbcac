//! The tests of the routes, one file for each resource, like the routes themselves.

mod attachments;
mod auth;
mod bad_input;
mod credentials;
mod features;
mod health;
mod members;
mod projects;
mod settings;
