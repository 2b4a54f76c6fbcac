//! The tests of the routes, one file for each resource, like the routes themselves.

mod account;
mod attachments;
mod audit;
mod auth;
mod bad_input;
mod credentials;
mod features;
mod health;
mod invitations;
mod mail;
mod members;
mod projects;
mod settings;
mod tokens;
