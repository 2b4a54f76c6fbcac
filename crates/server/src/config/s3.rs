//! How an S3-compatible store is reached. The names are those that every program for such stores reads.

use guildhall_llm::Secret;
use guildhall_team::backup::{Patience, S3Access, Shelf};
use url::Url;

use super::Fault;
use super::layers::{self, Found, Settings, Value};
use super::parse::{file_of, yes_or_no};

/// One word, as keys and their names are.
fn word(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
}

/// What is said of it, and what is wrong with that if somebody names a bucket. Whether it is enough shows then, too.
///
/// Other programs of the machine read the same variables, perhaps in another way: where the settings name no bucket, what stands in
/// the environment is of no account to a server.
pub(super) fn read(s: &mut Settings<'_>) -> (S3Access, Vec<Fault>) {
    let before = s.faults.len();
    let access = access(s);
    let named = s
        .find(layers::BACKUP_TO)
        .is_some_and(|Found { value, .. }| matches!(value, Value::Text(text) if Shelf::names_bucket(text.trim())));
    let wrong = s.faults.split_off(before);
    let (later, now): (Vec<Fault>, Vec<Fault>) = wrong.into_iter().partition(|fault| !named && fault.of_environment());
    s.faults.extend(now);
    (access, later)
}

fn access(s: &mut Settings<'_>) -> S3Access {
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
    if let (Some(_), Some(_), Some(found)) = (&secret, &of_file, s.find(layers::S3_SECRET_ACCESS_KEY)) {
        s.faults.push(found.fault(
            "either the secret of the access key or the file of it (GUILDHALL_S3_SECRET_ACCESS_KEY_FILE), not both",
        ));
    }
    let token = s.value(layers::S3_SESSION_TOKEN, "a session token: one word of printable characters", |text| {
        word(text).map(Secret::new)
    });
    let authorities = file_of(s, layers::S3_CA_FILE, "the path of a file with certificates in PEM", |text| {
        text.contains("-----BEGIN CERTIFICATE-----").then(|| text.as_bytes().to_vec())
    });
    let allow_http = yes_or_no(s, layers::S3_ALLOW_HTTP);
    let sha256 = s.value(
        layers::S3_CHECKSUM_ALGORITHM,
        "sha256, the one checksum that is sent along with what is put there, or nothing for none",
        |text| text.eq_ignore_ascii_case("sha256").then_some(true),
    );
    S3Access {
        endpoint,
        region,
        key_id,
        secret: secret.or(of_file),
        token,
        allow_http,
        authorities: authorities.unwrap_or_default(),
        sha256: sha256.unwrap_or(false),
        patience: Patience::default(),
    }
}

fn endpoint(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let nobody = url.username().is_empty() && url.password().is_none();
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    (["http", "https"].contains(&url.scheme()) && url.has_host() && nobody && plain).then_some(url)
}
