//! Passwords: Argon2id, with the number of hashings at once bounded, so that a flood of sign-ins cannot eat the memory.

mod weak;

use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::TeamError;

/// Memory of one hashing, in KiB: OWASP's first recommendation for Argon2id (19 MiB, 2 passes, 1 lane).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashings at once; more wait. Bounds the memory to about 40 MiB.
const AT_ONCE: usize = 2;

/// Characters that a password needs at least.
pub const SHORTEST: usize = 12;
/// Characters that a password may have at most.
pub const LONGEST: usize = 256;

/// Hashes and checks passwords. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Passwords {
    gate: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { gate: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// A hash of no account's password: checking it makes a sign-in with an unknown address take as long as any other.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash(b"nobody has this password").ok());

fn argon2() -> Result<Argon2<'static>, TeamError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| TeamError::internal("argon2", error))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &[u8]) -> Result<String, TeamError> {
    let hashed = argon2()?.hash_password(password).map_err(|error| TeamError::internal("argon2", error))?;
    Ok(hashed.to_string())
}

impl Passwords {
    /// Says what is wrong with a new password of the member with this address and name, if anything.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] when it is too short, too long, common, or easily made of what everybody knows.
    pub fn check_new(password: &str, email: &str, name: &str) -> Result<(), TeamError> {
        let length = password.chars().count();
        if length < SHORTEST {
            return Err(TeamError::invalid(
                "password",
                format!("use at least {SHORTEST} characters; a few words do well"),
            ));
        }
        if length > LONGEST {
            return Err(TeamError::invalid("password", format!("use at most {LONGEST} characters")));
        }
        match weak::weakness(password, email, name) {
            Some(why) => Err(TeamError::invalid("password", why)),
            None => Ok(()),
        }
    }

    /// Hashes a password.
    ///
    /// # Errors
    /// [`TeamError::Internal`] when the hashing fails.
    pub async fn hash(&self, password: &str) -> Result<String, TeamError> {
        let password = Zeroizing::new(password.as_bytes().to_vec());
        self.bounded(move || hash(&password)).await?
    }

    /// Whether `password` is the one that was hashed. Takes as long when there is no hash.
    ///
    /// # Errors
    /// [`TeamError::Internal`] when the stored hash cannot be read.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool, TeamError> {
        let password = Zeroizing::new(password.as_bytes().to_vec());
        let stored = stored.map(str::to_owned);
        self.bounded(move || {
            let known = stored.is_some();
            let Some(stored) = stored.or_else(|| NOBODY.clone()) else { return Ok(false) };
            let parsed = PasswordHash::new(&stored).map_err(|error| TeamError::internal("a stored hash", error))?;
            Ok(argon2()?.verify_password(password.as_slice(), &parsed).is_ok() && known)
        })
        .await?
    }

    async fn bounded<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, TeamError> {
        let _place = self.gate.acquire().await.map_err(|error| TeamError::internal("the password gate", error))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| TeamError::internal("a hashing task", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse battery", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse batterz", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("nobody has this password", None).await.unwrap());
    }

    #[test]
    fn weak_passwords_are_refused_with_a_reason() {
        for (password, reason) in [
            ("short", "at least 12"),
            ("aaaaaaaaaaaaaa", "different characters"),
            ("anna@example.com", "e-mail"),
            (&"x1y2z3".repeat(60), "at most 256"),
        ] {
            let error = Passwords::check_new(password, "Anna@example.com", "Anna").unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
        // 64 characters and spaces must be allowed.
        assert!(Passwords::check_new(&"eight ch".repeat(8), "a@b.example", "A").is_ok());
    }
}
