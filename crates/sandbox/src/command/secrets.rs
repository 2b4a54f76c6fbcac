//! Secrets that commands may be given, and that are blotted out of what all of them print, whether they were given them or not:
//! one may have left what it knows in a file.

use std::sync::Arc;

use guildhall_types::blot::Blot;
use guildhall_types::secret::SecretUse;
use zeroize::Zeroizing;

use super::Room;

/// A secret that commands may be given.
pub struct RoomSecret {
    /// The environment variable in which they find it.
    pub name: String,
    /// The secret.
    pub value: Zeroizing<String>,
    /// Which commands it is given to.
    pub uses: Vec<SecretUse>,
}

/// The secrets of a room. Cheap to clone.
#[derive(Clone, Default)]
pub struct Secrets {
    all: Arc<[RoomSecret]>,
    blot: Blot,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.all.iter().map(|secret| &secret.name)).finish()
    }
}

impl Secrets {
    /// These secrets.
    pub fn new(all: Vec<RoomSecret>) -> Self {
        let blot = Blot::new(all.iter().map(|secret| (secret.name.as_str(), secret.value.as_str())));
        Self { all: all.into(), blot }
    }

    /// Blots them out.
    pub fn blot(&self) -> &Blot {
        &self.blot
    }

    /// The names of those for this use.
    pub fn names(&self, to: SecretUse) -> impl Iterator<Item = &str> {
        self.all.iter().filter(move |secret| secret.uses.contains(&to)).map(|secret| secret.name.as_str())
    }

    /// These of them, as environment variables.
    pub(super) fn env<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = (&'a str, &'a str)> {
        let given = self.all.iter().filter(|secret| names.contains(&secret.name));
        given.map(|secret| (secret.name.as_str(), secret.value.as_str()))
    }
}

impl Room {
    /// The same room, whose commands are given all secrets for this use. In a room whose files only can be read they are given
    /// none: what they open lies outside of it, where nothing keeps a command from changing it.
    #[must_use]
    pub fn given(&self, to: SecretUse) -> Self {
        let given = match self.frozen {
            true => Vec::new(),
            false => self.secrets.names(to).map(str::to_owned).collect(),
        };
        Self { given, ..self.clone() }
    }

    /// The same room, whose commands are given these secrets, which an agent asks for by name.
    ///
    /// # Errors
    /// Why they are not given, in a sentence for the agent.
    pub fn asking(&self, names: &[String]) -> Result<Self, String> {
        let there: Vec<&str> = self.secrets.names(SecretUse::Agents).collect();
        if let Some(name) = names.iter().find(|name| !there.contains(&name.as_str())) {
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            return Err(format!("There is no secret {name:?} for agents' commands. There is: {there}."));
        }
        if self.frozen && !names.is_empty() {
            return Err(
                "Nothing is to be changed now, so no secret is given to a command: what it opens could be changed. \
                        Go on without it."
                    .to_owned(),
            );
        }
        Ok(Self { given: names.to_vec(), ..self.clone() })
    }
}
