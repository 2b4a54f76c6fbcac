//! The session's cookie.

use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::CookieJar;
use guildhall_types::DateTime;

/// The name where the server is reached by https: a browser takes it only with Secure, Path=/ and without a domain.
const SECURE: &str = "__Host-guildhall";
/// The name on plain http, which is for loopback alone.
const PLAIN: &str = "guildhall";

/// The same for a sign-in that is under way at a provider.
const SECURE_TRY: &str = "__Host-guildhall-try";
const PLAIN_TRY: &str = "guildhall-try";

const fn try_name(secure: bool) -> &'static str {
    if secure { SECURE_TRY } else { PLAIN_TRY }
}

const fn name(secure: bool) -> &'static str {
    if secure { SECURE } else { PLAIN }
}

/// The token of the session that a request names.
pub fn session_token(headers: &HeaderMap, secure: bool) -> Option<String> {
    value(headers, name(secure))
}

/// What a browser keeps of the sign-in that it has begun at a provider.
pub fn try_token(headers: &HeaderMap, secure: bool) -> Option<String> {
    value(headers, try_name(secure))
}

fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let jar = CookieJar::from_headers(headers);
    jar.get(name).map(|cookie| cookie.value().to_owned()).filter(|token| !token.is_empty())
}

/// Sets the session's cookie until `expires_at`.
pub fn set(secure: bool, token: &str, expires_at: DateTime, now: DateTime) -> Option<HeaderValue> {
    header(name(secure), secure, token, (expires_at - now).num_seconds())
}

/// Sets the cookie of a sign-in that is under way at a provider. The provider leads back by a link, which Lax lets through.
pub fn set_try(secure: bool, token: &str, expires_at: DateTime, now: DateTime) -> Option<HeaderValue> {
    header(try_name(secure), secure, token, (expires_at - now).num_seconds())
}

/// Takes it away.
pub fn clear_try(secure: bool) -> Option<HeaderValue> {
    header(try_name(secure), secure, "", 0)
}

/// Takes the session's cookie away.
pub fn clear(secure: bool) -> Option<HeaderValue> {
    header(name(secure), secure, "", 0)
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
        assert_eq!(try_token(&headers, true).as_deref(), Some("locked"));
        assert_eq!(session_token(&headers, true), None);
    }
}
