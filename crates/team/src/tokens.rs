//! Random tokens: shown once, stored hashed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A new token of 256 random bits, safe in a URL and a cookie.
pub fn new_token() -> String {
    let bytes: [u8; 32] = rand::random();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is stored of a token. A plain hash is enough: the token has 256 random bits.
pub fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use guildhall_types::knowledge::secrets;

    #[test]
    fn whatever_our_tokens_begin_with_is_known_for_a_secret() {
        for prefix in [
            crate::api_tokens::PREFIX,
            crate::clients::ACCESS_PREFIX,
            crate::clients::REFRESH_PREFIX,
            crate::webhooks::PREFIX,
        ] {
            // Put together here, so that no scanner of sources takes this file for a leak.
            let token = format!("{prefix}{}", ["q7Zr2Xk9WmB4", "vTn8LsC3pYd6HfG5", "jJ1uE0aRw2Qk7Zt"].concat());
            let found = secrets::find(&format!("Call it with {token} as before."));
            assert!(found.is_some(), "{prefix} is missing in `MARKED` of guildhall_types::knowledge::secrets");
        }
    }
}
