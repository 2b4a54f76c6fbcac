//! What a store refused or failed, in words that say what to do.
//!
//! The client's own errors show the whole answer, in which a store may repeat what was signed. Of it only the code is taken, which is
//! a word from S3's list, and a sentence.

use std::error::Error as _;

use object_store::Error;
use object_store::client::HttpError;

use super::Inner;

/// Characters of a store's own sentence at most.
const SENTENCE: usize = 200;

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Trouble {
    why: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The object is not there.
    Absent,
    /// The key is good, and may not do that.
    Denied,
    Other,
}

impl Trouble {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), kind: Kind::Other }
    }

    /// Whether the object is not there, and all else is well.
    pub(in crate::backup) fn absent(&self) -> bool {
        self.kind == Kind::Absent
    }

    /// Whether the key may not do that.
    pub(super) fn denied(&self) -> bool {
        self.kind == Kind::Denied
    }
}

/// What is said of a failure, without the answer itself.
pub(super) fn told(error: &Error, place: &Inner) -> Trouble {
    let mut said = Said::default();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        said.hear(&one.to_string());
        if let Some(http) = one.downcast_ref::<HttpError>() {
            said.no_answer = http.source().map(ToString::to_string);
        }
        cause = one.source();
    }
    if matches!(error, Error::NotSupported { .. }) {
        // Our own words.
        return Trouble::new(error.source().map_or_else(|| error.to_string(), ToString::to_string));
    }
    said.in_words(place, error)
}

#[derive(Debug, Default)]
struct Said {
    /// Such as 403.
    status: Option<u16>,
    /// Such as `NoSuchBucket`.
    code: Option<String>,
    /// The store's own sentence.
    sentence: Option<String>,
    /// Why there was no answer at all.
    no_answer: Option<String>,
    /// It sent us elsewhere.
    elsewhere: bool,
}

impl Said {
    fn hear(&mut self, text: &str) {
        let between = |from: &str, to: &str| Some(text.split_once(from)?.1.split_once(to)?.0.trim().to_owned());
        self.code = self.code.take().or_else(|| {
            between("<Code>", "</Code>")
                .filter(|code| code.len() < 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        });
        self.sentence = self.sentence.take().or_else(|| between("<Message>", "</Message>"));
        self.status = self.status.or_else(|| text.split_once("status code: ")?.1.get(..3)?.parse().ok());
        self.elsewhere |= text.contains("redirect without LOCATION");
    }

    fn in_words(self, place: &Inner, error: &Error) -> Trouble {
        let (store, bucket, access) = (place.access.endpoint(), &place.name, &place.access);
        if let Some(why) = self.no_answer.as_deref().filter(|why| why.contains("certificate")) {
            return Trouble::new(certificate(why, access));
        }
        if let Some(why) = self.no_answer {
            return Trouble::new(format!(
                "{store} gives no answer: {}. Look at AWS_ENDPOINT_URL, the network and the certificate there",
                access.scrub(&why)
            ));
        }
        let code = self.code.as_deref().unwrap_or_default();
        let status = self.status.unwrap_or_default();
        let why = match (code, status) {
            ("NoSuchBucket", _) => {
                format!(
                    "there is no bucket {bucket} at {store}; make it there, or name another one in GUILDHALL_BACKUP_TO"
                )
            }
            ("InvalidAccessKeyId" | "InvalidClientTokenId", _) => {
                format!("{store} does not know this access key; look at AWS_ACCESS_KEY_ID")
            }
            ("SignatureDoesNotMatch", _) => format!(
                "{store} does not accept the secret key of this access key; look at AWS_SECRET_ACCESS_KEY or its file"
            ),
            ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) => {
                "the key was good for a while only, which is over; look at AWS_SESSION_TOKEN".to_owned()
            }
            ("RequestTimeTooSkewed" | "RequestExpired", _) => format!(
                "the clock of this machine and that of {store} differ by more than it allows; set the clock here (timedatectl set-ntp true)"
            ),
            (
                "PermanentRedirect"
                | "TemporaryRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
                _,
            )
            | (_, 301 | 307 | 308) => {
                format!("the bucket {bucket} is not in the region {}; name its region in AWS_REGION", access.region())
            }
            _ if self.elsewhere => {
                format!("the bucket {bucket} is not in the region {}; name its region in AWS_REGION", access.region())
            }
            ("QuotaExceeded" | "QuotaExceededException" | "XMinioStorageFull" | "ServiceQuotaExceededException", _)
            | (_, 507) => {
                format!("there is no room at {store}; make room there, or keep fewer backups (GUILDHALL_BACKUP_KEEP)")
            }
            ("SlowDown" | "ServiceUnavailable" | "InternalError" | "RequestLimitExceeded", _)
            | (_, 429 | 500..=599) => {
                format!("{store} is busy or broken ({}), and was asked several times", self.short(access))
            }
            ("NoSuchUpload", _) => {
                let why = "the upload was ended by somebody else; make the backup again".to_owned();
                return Trouble { why, kind: Kind::Absent };
            }
            // By its word alone, never by the status: whoever stands in front of a store says 404 as well while that one restarts,
            // and what is not there is swept away, or counts as damaged.
            ("NoSuchKey" | "NoSuchVersion", _) => {
                return Trouble { why: "it is not there".to_owned(), kind: Kind::Absent };
            }
            ("", 404) => format!(
                "{store} answers 404, and not as S3 does; look whether AWS_ENDPOINT_URL leads to the store, and whether it runs"
            ),
            (_, 401 | 403) => {
                let why = format!(
                    "the key may not do that ({}); below its prefix it needs s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload, and of the bucket s3:ListBucket",
                    self.short(access)
                );
                return Trouble { why, kind: Kind::Denied };
            }
            (_, 0) => return Trouble::new(unreadable(error, &store)),
            _ => format!("{store} refused it: {}", self.short(access)),
        };
        Trouble::new(why)
    }

    /// The store's own words, cut short.
    fn short(&self, access: &super::S3Access) -> String {
        let mut words: Vec<String> = self.status.iter().map(ToString::to_string).chain(self.code.clone()).collect();
        if let Some(sentence) = &self.sentence {
            let plain = sentence.chars().filter(|c| !c.is_control()).take(SENTENCE).collect::<String>();
            words.push(access.scrub(&plain));
        }
        words.join(" ")
    }
}

/// A certificate that is not believed: what to do about it.
fn certificate(why: &str, access: &super::S3Access) -> String {
    // The second is what is said where another authority has the same name, as those of all Caddys of a year have.
    let unknown = ["UnknownIssuer", "BadSignature"].iter().any(|word| why.contains(word));
    let what = match (unknown, access.authorities.is_empty()) {
        (true, true) => {
            "name the file with the certificate of its authority (PEM) in AWS_CA_BUNDLE, if you run that store or trust who does"
        }
        (true, false) => {
            "none of those in the file that AWS_CA_BUNDLE names vouches for it; put the certificate of its authority (PEM) there"
        }
        (false, _) => {
            "look at the name in AWS_ENDPOINT_URL, which must be one that it is for, at when it ends, and at the clock of this machine"
        }
    };
    format!("{} shows a certificate that is not trusted here ({}): {what}", access.endpoint(), access.scrub(why))
}

/// An answer that is none of S3's: what is wrong with it, without what it says.
fn unreadable(error: &Error, store: &str) -> String {
    match error {
        Error::InvalidPath { .. } => format!("{store} names an object that nobody could have put there"),
        _ => format!("{store} gave an answer that is none of S3's; look whether AWS_ENDPOINT_URL leads to a store"),
    }
}

#[cfg(test)]
mod tests {
    use guildhall_llm::Secret;
    use object_store::client::{HttpError, HttpErrorKind};

    use super::super::{Bucket, S3Access};
    use super::*;

    fn place() -> Bucket {
        let access = S3Access {
            endpoint: Some("https://s3.example.com".parse().unwrap()),
            secret: Some(Secret::new("hidden-secret")),
            ..S3Access::default()
        };
        Bucket::of("backups".to_owned(), None, access)
    }

    fn answered(status: &str, body: &str) -> Error {
        let text = format!(
            "Error performing GET https://s3.example.com/backups/x in 1ms - Server returned non-2xx status code: {status}: {body}"
        );
        Error::Generic { store: "S3", source: text.into() }
    }

    fn xml(code: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Some sentence with hidden-secret in it.</Message><StringToSign>AWS4-HMAC-SHA256 private</StringToSign></Error>"
        )
    }

    #[test]
    fn each_refusal_says_what_to_do_and_nothing_that_was_signed() {
        let place = place();
        for (status, code, expected, kind) in [
            ("404 Not Found", "NoSuchBucket", "there is no bucket backups at https://s3.example.com", Kind::Other),
            ("403 Forbidden", "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID", Kind::Other),
            ("403 Forbidden", "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY", Kind::Other),
            ("403 Forbidden", "RequestTimeTooSkewed", "set the clock here", Kind::Other),
            ("403 Forbidden", "AccessDenied", "s3:ListBucket", Kind::Denied),
            ("400 Bad Request", "AuthorizationHeaderMalformed", "AWS_REGION", Kind::Other),
            ("400 Bad Request", "ExpiredToken", "AWS_SESSION_TOKEN", Kind::Other),
            (
                "503 Service Unavailable",
                "SlowDown",
                "is busy or broken (503 SlowDown Some sentence with [key] in it.)",
                Kind::Other,
            ),
            ("403 Forbidden", "QuotaExceeded", "there is no room", Kind::Other),
            ("404 Not Found", "NoSuchKey", "it is not there", Kind::Absent),
            ("404 Not Found", "NoSuchVersion", "it is not there", Kind::Absent),
            ("404 Not Found", "NoSuchUpload", "ended by somebody else", Kind::Absent),
            ("404 Not Found", "NoSuchWebsite", "refused it: 404 NoSuchWebsite", Kind::Other),
            ("418 I'm a teapot", "Teapot", "refused it: 418 Teapot", Kind::Other),
        ] {
            let told = told(&answered(status, &xml(code)), &place.0);
            assert!(told.to_string().contains(expected), "{code}: {told}");
            assert_eq!(told.kind, kind, "{code}");
            assert!(!told.to_string().contains("private") && !told.to_string().contains("hidden-secret"), "{told}");
        }
        let denied = told(&answered("403 Forbidden", "a page of some proxy"), &place.0);
        assert!(denied.denied() && !denied.to_string().contains("proxy"), "{denied}");
        for page in ["404 page not found\n", "", "<html>Not Found</html>"] {
            let odd = told(&answered("404 Not Found", page), &place.0);
            assert!(!odd.absent() && odd.to_string().contains("answers 404, and not as S3 does"), "{odd}");
        }
    }

    #[test]
    fn a_certificate_that_is_not_believed_is_told_with_the_setting_that_mends_it() {
        let of = |why: &'static str, authorities: &[u8]| {
            let access = S3Access { authorities: authorities.to_vec(), ..place().0.access.clone() };
            let http = HttpError::new(HttpErrorKind::Connect, std::io::Error::other(why));
            let place = Bucket::of("backups".to_owned(), None, access);
            told(&Error::Generic { store: "S3", source: Box::new(http) }, &place.0).to_string()
        };
        const UNKNOWN: &str = "client error (Connect): invalid peer certificate: UnknownIssuer";
        let lacking = of(UNKNOWN, b"");
        assert!(lacking.contains("authority (PEM) in AWS_CA_BUNDLE"), "{lacking}");
        for why in [UNKNOWN, "invalid peer certificate: BadSignature"] {
            assert!(of(why, b"some").contains("none of those in the file that AWS_CA_BUNDLE names"));
        }
        let other = of("invalid peer certificate: certificate not valid for name \"localhost\"", b"some");
        assert!(other.contains("AWS_ENDPOINT_URL") && !other.contains("AWS_CA_BUNDLE"), "{other}");
    }

    #[test]
    fn no_answer_and_one_that_is_no_s3_are_told_apart() {
        let place = place();
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let http = HttpError::new(HttpErrorKind::Connect, refused);
        let told_so = told(&Error::Generic { store: "S3", source: Box::new(http) }, &place.0).to_string();
        assert!(told_so.contains("gives no answer: connection refused"), "{told_so}");
        let odd = told(&Error::Generic { store: "S3", source: "unexpected end of hidden-secret".into() }, &place.0);
        assert!(odd.to_string().contains("none of S3's") && !odd.to_string().contains("hidden"), "{odd}");
        let ours = told(&Error::NotSupported { source: "it is larger than 156 GiB".into() }, &place.0);
        assert_eq!(ours.to_string(), "it is larger than 156 GiB");
    }
}
