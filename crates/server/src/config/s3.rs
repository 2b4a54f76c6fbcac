//! How an S3-compatible store is reached. The names are those that every program for such stores reads.

use guildhall_llm::Secret;
use guildhall_team::backup::{Patience, S3Access};
use url::Url;

use super::layers::{self, Settings};
use super::parse::{file_of, yes_or_no};

/// One word, as keys and their names are.
fn word(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
}

/// What is said of it. Whether it is enough shows when a bucket is named.
pub(super) fn read(s: &mut Settings<'_>) -> S3Access {
    let endpoint = s.value(
        layers::S3_ENDPOINT,
        "the https address of an S3-compatible store, without a user, a password, a query or the name of a bucket (http on this machine, and elsewhere with GUILDHALL_S3_ALLOW_HTTP)",
        endpoint,
    );
    let region = s.value(layers::S3_REGION, "the name of a region, such as eu-central-1, or auto", |text| {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (plain && (1..=64).contains(&text.len())).then(|| text.to_owned())
    });
    let key_id =
        s.value(layers::S3_ACCESS_KEY_ID, "the name of an access key: one word of printable characters", |text| {
            word(text).map(str::to_owned)
        });
    const SECRET: &str = "the secret of an access key: one word of printable characters";
    let secret = s.value(layers::S3_SECRET_ACCESS_KEY, SECRET, |text| word(text).map(Secret::new));
    let of_file = file_of(
        s,
        layers::S3_SECRET_ACCESS_KEY_FILE,
        "the path of a file that holds the secret of an access key",
        |text| word(text.trim()).map(Secret::new),
    );
    if let (Some(_), Some(_), Some(found)) = (&secret, &of_file, s.find(layers::S3_SECRET_ACCESS_KEY_FILE)) {
        s.faults.push(found.fault("either the secret of the access key or the file of it, not both"));
    }
    let token = s.value(layers::S3_SESSION_TOKEN, "a session token: one word of printable characters", |text| {
        word(text).map(Secret::new)
    });
    let authorities = file_of(s, layers::S3_CA_FILE, "the path of a file with certificates in PEM", |text| {
        text.contains("-----BEGIN CERTIFICATE-----").then(|| text.as_bytes().to_vec())
    });
    let allow_http = yes_or_no(s, layers::S3_ALLOW_HTTP);
    S3Access {
        endpoint,
        region,
        key_id,
        secret: secret.or(of_file),
        token,
        allow_http,
        authorities: authorities.unwrap_or_default(),
        patience: Patience::default(),
    }
}

fn endpoint(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let nobody = url.username().is_empty() && url.password().is_none();
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    (["http", "https"].contains(&url.scheme()) && url.has_host() && nobody && plain).then_some(url)
}
