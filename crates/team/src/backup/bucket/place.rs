//! What an operator says of a store, and which bucket is meant.

use std::time::Duration;

use guildhall_llm::Secret;
use object_store::path::Path;
use url::Url;

use super::Bucket;
use crate::oidc::is_loopback;

/// The region that stores without regions are content with.
const REGION: &str = "us-east-1";

/// A place that is none. Says what it should be instead, to go on with "expected".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPlace(String);

impl BadPlace {
    pub(in crate::backup) fn new(expected: impl Into<String>) -> Self {
        Self(expected.into())
    }
}

/// How often a request is tried again, and how soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often at most.
    pub retries: usize,
    /// How long it is waited before the first time; longer each time.
    pub pause: Duration,
    /// How long at most.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        // So many that only the time bounds them: the pauses are drawn, and a few of them may be over within seconds.
        Self { retries: 100, pause: Duration::from_millis(250), longest: Duration::from_secs(20) }
    }
}

/// How an S3-compatible store is reached, the same for every bucket.
#[derive(Debug, Clone, Default)]
pub struct S3Access {
    /// Its address; Amazon's own of the region, if nothing.
    pub endpoint: Option<Url>,
    /// Its region; one that stores without regions are content with, if nothing.
    pub region: Option<String>,
    /// Names the key.
    pub key_id: Option<String>,
    /// The key.
    pub secret: Option<Secret>,
    /// What goes with a key that is good for a while only.
    pub token: Option<Secret>,
    /// Whether it may be spoken to without TLS on another machine.
    pub allow_http: bool,
    /// Certificates (PEM) that may vouch for it besides the usual ones.
    pub authorities: Vec<u8>,
    /// Whether the SHA-256 of what is put there goes with it: not every store takes that, and one with a lock on objects wants it.
    pub sha256: bool,
    /// How often what fails is tried again.
    pub patience: Patience,
}

impl PartialEq for S3Access {
    fn eq(&self, other: &Self) -> bool {
        let exposed = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
        let plain = |one: &Self| (one.endpoint.clone(), one.region.clone(), one.key_id.clone(), one.allow_http);
        plain(self) == plain(other)
            && exposed(&self.secret) == exposed(&other.secret)
            && exposed(&self.token) == exposed(&other.token)
            && self.authorities == other.authorities
            && self.sha256 == other.sha256
            && self.patience == other.patience
    }
}

impl Eq for S3Access {}

impl S3Access {
    pub(super) fn region(&self) -> &str {
        self.region.as_deref().unwrap_or(REGION)
    }

    pub(super) fn endpoint(&self) -> String {
        match &self.endpoint {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("https://s3.{}.amazonaws.com", self.region()),
        }
    }

    /// `text` without what nobody may read.
    pub(super) fn scrub(&self, text: &str) -> String {
        let secrets = [&self.secret, &self.token].into_iter().flatten().map(Secret::expose);
        secrets.filter(|secret| secret.len() >= 8).fold(text.to_owned(), |text, secret| text.replace(secret, "[key]"))
    }
}

impl Bucket {
    /// The place that stands behind `s3://`.
    pub(in crate::backup) fn at(rest: &str, access: &S3Access) -> Result<Self, BadPlace> {
        if rest.contains(['@', '?', '#']) {
            return Err(BadPlace::new(
                "s3:// and a bucket, such as s3://backups/guildhall; keys stand in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, never in the address",
            ));
        }
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket(name) {
            return Err(BadPlace::new(
                "s3:// and the name of a bucket (3 to 63 lower-case letters, digits, dots and hyphens), such as s3://backups/guildhall",
            ));
        }
        let prefix = prefix.trim_end_matches('/');
        let parts: Vec<&str> = prefix.split('/').collect();
        if !prefix.is_empty() && !parts.iter().all(|part| is_part(part)) {
            return Err(BadPlace::new(
                "behind the bucket a prefix of letters, digits, dots, hyphens and underscores with / in between, such as s3://backups/guildhall",
            ));
        }
        if access.key_id.is_none() || access.secret.is_none() {
            return Err(BadPlace::new(
                "beside a bucket the key to it: AWS_ACCESS_KEY_ID, and AWS_SECRET_ACCESS_KEY or GUILDHALL_S3_SECRET_ACCESS_KEY_FILE",
            ));
        }
        if let Some(url) = &access.endpoint
            && url.scheme() == "http"
            && !is_loopback(url)
            && !access.allow_http
        {
            return Err(BadPlace::new(
                "beside a bucket an https:// address in AWS_ENDPOINT_URL: whoever is in between reads what goes there by http:// (GUILDHALL_S3_ALLOW_HTTP=true where that is known and wanted, as in a network of one's own with sealed backups)",
            ));
        }
        let prefix = (!prefix.is_empty()).then(|| parts.iter().fold(Path::default(), |path, part| path.join(*part)));
        Ok(Self::of(name.to_owned(), prefix, access.clone()))
    }
}

/// Whether stores take this as the name of a bucket.
fn is_bucket(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    let inner = bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(byte));
    (3..=63).contains(&bytes.len()) && inner && edge(bytes.first()) && edge(bytes.last()) && !name.contains("..")
}

/// Whether this can stand between two slashes and is written everywhere in the same way.
fn is_part(part: &str) -> bool {
    let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    !part.is_empty() && part.len() <= 200 && plain && ![".", ".."].contains(&part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::Shelf;

    fn access() -> S3Access {
        let (key_id, secret) = (Some("AKIA".to_owned()), Some(Secret::new("hidden-key")));
        S3Access { key_id, secret, ..S3Access::default() }
    }

    #[test]
    fn a_bucket_is_told_from_a_folder_and_from_what_is_neither() {
        for good in ["s3://backups", "s3://my.backups-1/guild/hall_2", "/mnt/backups"] {
            assert_eq!(Shelf::at(good, &access()).unwrap().to_string(), good);
        }
        assert_eq!(Shelf::at("s3://backups/", &access()), Shelf::at("s3://backups", &access()));
        for bad in [
            "backups",
            "s3://",
            "s3://ab",
            "s3://Backups",
            "s3://-backups",
            "s3://a..b",
            "s3://backups//x",
            "s3://backups/../x",
            "s3://backups/a b",
            "s3://AKIA:hidden-key@backups",
            "s3://backups?x=1",
            "https://backups/x",
            "",
        ] {
            let told = Shelf::at(bad, &access()).unwrap_err().to_string();
            assert!(told.contains("s3://backups/guildhall") && !told.contains("hidden-key"), "{bad}: {told}");
        }
    }

    #[test]
    fn a_bucket_needs_its_key_and_tls_except_on_this_machine_and_shows_no_key() {
        let refused = |access: &S3Access| Shelf::at("s3://backups", access).unwrap_err().to_string();
        assert!(refused(&S3Access { secret: None, ..access() }).contains("AWS_SECRET_ACCESS_KEY"));
        let at = |url: &str, allow_http| S3Access { endpoint: Some(url.parse().unwrap()), allow_http, ..access() };
        assert!(refused(&at("http://10.0.0.5:9000", false)).contains("GUILDHALL_S3_ALLOW_HTTP"));
        for fine in
            [at("http://10.0.0.5:9000", true), at("http://127.0.0.1:9000", false), at("https://s3.example.com", false)]
        {
            assert!(Shelf::at("s3://backups", &fine).is_ok());
        }
        let shelf = Shelf::at("s3://backups", &access()).unwrap();
        assert!(!format!("{shelf:?}").contains("hidden-key"));
        assert_ne!(
            shelf,
            Shelf::at("s3://backups", &S3Access { secret: Some(Secret::new("other-key")), ..access() }).unwrap()
        );
        assert_eq!(access().endpoint(), "https://s3.us-east-1.amazonaws.com");
        assert_eq!(at("https://s3.example.com/", false).endpoint(), "https://s3.example.com");
    }
}
