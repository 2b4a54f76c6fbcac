//! The tests of the routes, one file for each resource, like the routes themselves.

mod account;
mod attachments;
mod audit;
mod auth;
mod bad_input;
mod credentials;
mod factors;
mod features;
mod health;
mod identities;
mod invitations;
mod mail;
mod members;
mod night;
mod notifications;
mod passkeys;
mod plans;
mod projects;
mod rate_limits;
mod reports;
mod settings;
mod sign_in;
mod tokens;
mod trials;
mod usage;
mod webhooks;
