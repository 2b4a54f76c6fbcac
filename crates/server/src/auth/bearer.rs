//! The personal access token in the Authorization header. It is read nowhere else: never in a query, where it would end up
//! in logs.

use axum::http::{HeaderMap, StatusCode, header};

use crate::problem::Problem;

/// What an Authorization header shows.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// There is none.
    Nothing,
    /// A token, right or wrong.
    Token(&'a str),
    /// Something that is not understood here.
    SomethingElse,
}

/// What the Authorization header of a request shows.
pub fn shown(headers: &HeaderMap) -> Shown<'_> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(first), None) = (all.next(), all.next()) else {
        return if headers.contains_key(header::AUTHORIZATION) { Shown::SomethingElse } else { Shown::Nothing };
    };
    match first.to_str().ok().and_then(|text| text.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Shown::Token(token.trim()),
        _ => Shown::SomethingElse,
    }
}

/// The token, or what stands in its place, cannot be used.
pub(crate) fn refused(why: &str) -> Problem {
    let detail = format!("This token cannot be used: {why}. Make another one in the page, under Settings.");
    Problem::new(StatusCode::UNAUTHORIZED, "bad-token", detail)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_one_bearer_token_is_a_token() {
        let mut headers = HeaderMap::new();
        assert_eq!(shown(&headers), Shown::Nothing);
        for (text, expected) in [
            ("Bearer guild_x", Shown::Token("guild_x")),
            ("bearer  guild_x ", Shown::Token("guild_x")),
            ("Basic dXNlcjpndWlsZF94", Shown::SomethingElse),
            ("guild_x", Shown::SomethingElse),
            ("", Shown::SomethingElse),
        ] {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(text));
            assert_eq!(shown(&headers), expected, "{text}");
        }
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer a"));
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer b"));
        assert_eq!(shown(&headers), Shown::SomethingElse);
    }
}
