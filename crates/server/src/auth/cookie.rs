//! What a browser holds in cookies: its session, and what it has begun and not ended.

use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::CookieJar;
use guildhall_types::DateTime;

/// What a browser holds in a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The token of its session.
    Session,
    /// The token of a sign-in whose second factor is still to be shown.
    SecondStep,
    /// The token of a question to a passkey.
    Passkey,
    /// What it keeps of the sign-in that it has begun at a provider. The provider leads back by a link, which Lax lets
    /// through.
    Try,
    /// The token by which it sees the pages of a service. It is a cookie of their origin, never of the house's.
    Preview,
}

impl Held {
    /// The name of the cookie. Where the server is reached by https it is one that a browser takes only with Secure,
    /// Path=/ and without a domain; plain http is for loopback alone.
    const fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-guildhall",
            (Self::Session, false) => "guildhall",
            (Self::SecondStep, true) => "__Host-guildhall-second-step",
            (Self::SecondStep, false) => "guildhall-second-step",
            (Self::Passkey, true) => "__Host-guildhall-passkey",
            (Self::Passkey, false) => "guildhall-passkey",
            (Self::Try, true) => "__Host-guildhall-try",
            (Self::Try, false) => "guildhall-try",
            (Self::Preview, true) => "__Host-guildhall-preview",
            (Self::Preview, false) => "guildhall-preview",
        }
    }

    /// The token that a request holds.
    pub fn token(self, headers: &HeaderMap, secure: bool) -> Option<String> {
        let jar = CookieJar::from_headers(headers);
        jar.get(self.name(secure)).map(|cookie| cookie.value().to_owned()).filter(|token| !token.is_empty())
    }

    /// Sets the cookie for so long.
    pub fn set(self, secure: bool, token: &str, seconds: i64) -> Option<HeaderValue> {
        header(self.name(secure), secure, token, seconds)
    }

    /// Takes the cookie away.
    pub fn clear(self, secure: bool) -> Option<HeaderValue> {
        header(self.name(secure), secure, "", 0)
    }
}

/// The token of the session that a request names.
pub fn session_token(headers: &HeaderMap, secure: bool) -> Option<String> {
    Held::Session.token(headers, secure)
}

/// Sets the session's cookie until `expires_at`.
pub fn set(secure: bool, token: &str, expires_at: DateTime, now: DateTime) -> Option<HeaderValue> {
    Held::Session.set(secure, token, (expires_at - now).num_seconds())
}

/// Takes the session's cookie away.
pub fn clear(secure: bool) -> Option<HeaderValue> {
    Held::Session.clear(secure)
}

/// A header that never goes to a log. Tokens have only letters, digits, `-` and `_`, so there is always one.
fn header(name: &str, secure: bool, token: &str, seconds: i64) -> Option<HeaderValue> {
    let lock = if secure { "; Secure" } else { "" };
    let text = format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{lock}", seconds.max(0));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_as_strict_as_the_address_allows() {
        let now = DateTime::UNIX_EPOCH;
        let value = set(true, "abc", now + chrono::Duration::hours(1), now).unwrap();
        assert_eq!(value, "__Host-guildhall=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure");
        assert!(value.is_sensitive());
        assert_eq!(clear(false).unwrap(), "guildhall=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    }

    #[test]
    fn only_the_name_that_fits_the_address_is_read() {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_static("a=b; guildhall=plain; __Host-guildhall=locked"));
        assert_eq!(session_token(&headers, true).as_deref(), Some("locked"));
        assert_eq!(session_token(&headers, false).as_deref(), Some("plain"));
        assert_eq!(session_token(&HeaderMap::new(), true), None);
        headers.insert("cookie", HeaderValue::from_static("guildhall-try=plain; __Host-guildhall-try=locked"));
        assert_eq!(Held::Try.token(&headers, true).as_deref(), Some("locked"));
        assert_eq!(session_token(&headers, true), None);
    }
}
