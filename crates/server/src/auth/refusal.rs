//! Tells the audit of requests that were refused to somebody who is known.

use axum::extract::{MatchedPath, Request};
use guildhall_types::audit::{Actor, AuditAction, AuditObject, AuditOutcome, Note};

use crate::app::App;

/// What was asked for.
pub(crate) struct Route {
    /// Method and route.
    name: String,
    path: String,
}

impl Route {
    pub(crate) fn of(request: &Request) -> Self {
        let path = request.uri().path().to_owned();
        let route = request.extensions().get::<MatchedPath>().map_or(path.as_str(), MatchedPath::as_str);
        Self { name: format!("{} {route}", request.method()), path }
    }
}

/// Tells the audit. That this fails changes nothing: the refusal stands.
pub(crate) async fn tell(app: &App, actor: Actor, route: &Route, code: &'static str) {
    let Some(member) = actor.member else { return };
    if !app.team.throttle.worth_telling(&format!("refused {member}"), app.team.clock.now()) {
        return;
    }
    let note = Note::new(AuditAction::Refused).on(AuditObject::Route, &route.name).outcome(AuditOutcome::Refused);
    let note = note.with("code", code).with("path", &route.path);
    if let Err(error) = app.team.store.acting_as(actor).audit(note).await {
        tracing::error!(error = crate::problem::chain(&error), "a refusal could not be put into the audit");
    }
}
