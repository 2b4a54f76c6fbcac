//! The operator's token for programs that watch the server. It opens the figures and the detailed health, and nothing else.

use guildhall_llm::Secret;
use guildhall_team::tokens::token_hash;

/// A token that is kept as its hash.
#[derive(Clone)]
pub struct MetricsToken(Vec<u8>);

impl std::fmt::Debug for MetricsToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MetricsToken(…)")
    }
}

impl MetricsToken {
    /// Takes the operator's token.
    pub fn new(token: &Secret) -> Self {
        Self(token_hash(token.expose()))
    }

    /// Whether this is the token. Takes as long for a wrong one, however much of it is right.
    pub fn is(&self, shown: &str) -> bool {
        let hash = token_hash(shown);
        let differ = self.0.iter().zip(&hash).fold(0, |all, (one, other)| all | (one ^ other));
        self.0.len() == hash.len() && std::hint::black_box(differ) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_is_right_and_it_is_not_shown() {
        let token = MetricsToken::new(&Secret::new("a token of the operator's"));
        assert!(token.is("a token of the operator's"));
        for wrong in ["", "a token of the operator'", "a token of the operator's ", "b token of the operator's"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "MetricsToken(…)");
    }
}
