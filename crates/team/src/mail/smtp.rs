//! The way to the mail server: by TLS from the first byte, by STARTTLS that is insisted on, or in the clear on this machine.

use std::io;
use std::time::Duration;

use guildhall_llm::Secret;
use guildhall_types::audit::plain;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use url::{Host, Url};

/// How long the mail server may take for one answer.
const ANSWER: Duration = Duration::from_secs(20);
/// How long a mail may take as a whole; shorter than a claim holds.
pub(super) const WHOLE: Duration = Duration::from_secs(90);
/// Refusals that are about this server's user and password, not about the mail: RFC 4954.
const OF_AUTH: [u16; 4] = [530, 534, 535, 538];

/// How what is sent is kept from being read on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all: to this machine only.
    None,
    /// TLS after a start in the clear; without it nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// The mail server, and as whom mail is sent.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    host: String,
    port: u16,
    security: Security,
    login: Option<(String, Secret)>,
    /// Certificates, beside the usual ones, that may vouch for the mail server.
    authorities: Vec<u8>,
    /// As whom mail is sent.
    pub(super) from: Mailbox,
}

/// Why an address of a mail server cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSmtpUrl {
    /// It is none.
    #[error(
        "smtps://, or smtp://…?tls=required, and the name of the mail server, such as smtps://user:password@mail.example.com"
    )]
    Form,
    /// It would send in the clear.
    #[error(
        "?tls=required at the end, or smtps://: without TLS, mail and password could be read on the way; only a mail server on this machine is spoken to so"
    )]
    Clear,
}

/// How far it came with a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The connection and the server's greeting.
    Connect,
    /// TLS.
    Tls,
    /// User and password.
    Login,
    /// The mail itself.
    Mail,
}

impl Stage {
    /// How to mend what fails here.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Connect => {
                "Check the host and the port in GUILDHALL_SMTP_URL, and that this machine may connect there."
            }
            Self::Tls => {
                "Check that GUILDHALL_SMTP_URL begins with smtps:// for TLS from the start (port 465) or ends with ?tls=required for STARTTLS (port 587), and names the server as its certificate does; a certificate of your own authority is trusted by GUILDHALL_SMTP_CA_FILE."
            }
            Self::Login => {
                "Check the user in GUILDHALL_SMTP_URL and the password there or in GUILDHALL_SMTP_PASSWORD_FILE."
            }
            Self::Mail => "Check that the mail server lets this user send as GUILDHALL_MAIL_FROM.",
        }
    }
}

/// A mail that the server did not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Undelivered {
    /// How far it came.
    pub stage: Stage,
    /// Whether it would be refused again: the mail is given up.
    pub for_good: bool,
    /// What was said, on one line.
    pub words: String,
}

impl Undelivered {
    fn of(stage: Stage, error: &lettre::transport::smtp::Error) -> Self {
        let mut words = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(next) = cause {
            let more = next.to_string();
            if !words.contains(&more) {
                words = format!("{words}: {more}");
            }
            cause = next.source();
        }
        let of_auth = error.status().is_some_and(|code| OF_AUTH.contains(&u16::from(code)));
        // What is wrong before the mail's turn is mended by the operator, and the mail waits for that. A mail that this
        // program cannot put into words of the protocol stays so.
        let for_good = stage == Stage::Mail && (error.is_permanent() || error.is_client()) && !of_auth;
        Self { stage, for_good, words: plain(&words) }
    }

    fn late(stage: Stage) -> Self {
        Self { stage, for_good: false, words: "the mail server did not answer in time".to_owned() }
    }

    pub(super) fn unsendable(words: &str) -> Self {
        Self { stage: Stage::Mail, for_good: true, words: plain(words) }
    }
}

impl SmtpSettings {
    /// Reads `smtps://user:password@host:port` or `smtp://…?tls=required`; `smtp://` alone is for this machine. A password
    /// beside it takes the place of the one in the address. `authorities` are certificates in PEM that are trusted besides.
    ///
    /// # Errors
    /// [`BadSmtpUrl`], which does not repeat what was given.
    pub fn parse(url: &str, password: Option<Secret>, from: Mailbox, authorities: Vec<u8>) -> Result<Self, BadSmtpUrl> {
        let url = Url::parse(url).map_err(|_| BadSmtpUrl::Form)?;
        let wanted: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let tls = match wanted.as_slice() {
            [] => None,
            [(name, value)] if name == "tls" => Some(value.as_str()),
            _ => return Err(BadSmtpUrl::Form),
        };
        // A name in a URL of a scheme that is not the web's is taken as it stands.
        let host = match url.host().ok_or(BadSmtpUrl::Form)? {
            Host::Domain("") => return Err(BadSmtpUrl::Form),
            Host::Domain(name) => name.to_lowercase(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let (security, port) = match (url.scheme(), tls) {
            ("smtps", None | Some("required")) => (Security::Tls, 465),
            ("smtp", Some("required")) => (Security::StartTls, 587),
            ("smtp", None) if is_this_machine(&host) => (Security::None, 25),
            ("smtp", None | Some("none" | "opportunistic")) => return Err(BadSmtpUrl::Clear),
            _ => return Err(BadSmtpUrl::Form),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(BadSmtpUrl::Form);
        }
        let decoded = |text: &str| {
            let bytes: Vec<u8> = percent_decode(text).ok_or(BadSmtpUrl::Form)?;
            String::from_utf8(bytes).map_err(|_| BadSmtpUrl::Form)
        };
        let user = decoded(url.username())?;
        let password = match (password, url.password()) {
            (Some(password), _) => Some(password),
            (None, Some(password)) => Some(Secret::new(decoded(password)?)),
            (None, None) => None,
        };
        let login = match (user.is_empty(), password) {
            (true, None) => None,
            (false, Some(password)) => Some((user, password)),
            // A user without a password, or a password without a user.
            _ => return Err(BadSmtpUrl::Form),
        };
        Ok(Self { host, port: url.port().unwrap_or(port), security, login, authorities, from })
    }

    /// The mail server, without user and password.
    pub fn server(&self) -> String {
        let Self { host, port, security, .. } = self;
        let kind = match security {
            Security::None => "without TLS",
            Security::StartTls => "STARTTLS",
            Security::Tls => "TLS",
        };
        format!("{host}:{port} ({kind})")
    }

    fn tls(&self) -> Result<TlsParameters, Undelivered> {
        let failed = |error| Undelivered::of(Stage::Tls, &error);
        let mut builder = TlsParameters::builder(self.host.clone());
        for pem in certificates(&self.authorities) {
            builder = builder.add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(failed)?);
        }
        builder.build().map_err(failed)
    }

    /// Connects, speaks TLS and signs in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Undelivered> {
        let hello = ClientId::Domain(self.from.email.domain().to_owned());
        let wrapped = match self.security {
            Security::Tls => Some(self.tls()?),
            Security::StartTls | Security::None => None,
        };
        let by_tls = wrapped.is_some();
        let address = (self.host.as_str(), self.port);
        let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(ANSWER), &hello, wrapped, None);
        let connected =
            tokio::time::timeout(ANSWER, connecting).await.map_err(|_| Undelivered::late(Stage::Connect))?;
        let mut connection = connected.map_err(|error| {
            Undelivered::of(if by_tls && is_of_tls(&error) { Stage::Tls } else { Stage::Connect }, &error)
        })?;
        if self.security == Security::StartTls {
            if !connection.can_starttls() {
                connection.abort().await;
                let words = "the mail server offers no STARTTLS, and nothing is sent without".to_owned();
                return Err(Undelivered { stage: Stage::Tls, for_good: false, words });
            }
            let upgraded = tokio::time::timeout(ANSWER, connection.starttls(self.tls()?, &hello)).await;
            let upgraded = upgraded.map_err(|_| Undelivered::late(Stage::Tls))?;
            upgraded.map_err(|error| Undelivered::of(Stage::Tls, &error))?;
        }
        if let Some((user, password)) = &self.login {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            let login = tokio::time::timeout(ANSWER, connection.auth(DEFAULT_MECHANISMS, &credentials)).await;
            let login = login.map_err(|_| Undelivered::late(Stage::Login))?;
            login.map_err(|error| Undelivered::of(Stage::Login, &error))?;
        }
        Ok(connection)
    }

    /// Asks the server whether it would take mail, without sending any.
    ///
    /// # Errors
    /// [`Undelivered`]: how far it came.
    pub async fn check(&self) -> Result<(), Undelivered> {
        let mut connection = self.connect().await?;
        connection.abort().await;
        Ok(())
    }

    /// Hands one mail to the server.
    pub(super) async fn deliver(&self, envelope: &Envelope, message: &[u8]) -> Result<(), Undelivered> {
        let whole = async {
            let mut connection = self.connect().await?;
            let sent = connection.send(envelope, message).await;
            // The mail is the server's from its answer on, whatever becomes of the good-bye.
            connection.abort().await;
            sent.map(drop).map_err(|error| Undelivered::of(Stage::Mail, &error))
        };
        tokio::time::timeout(WHOLE, whole).await.unwrap_or_else(|_| Err(Undelivered::late(Stage::Mail)))
    }
}

/// Whether a connection came to be and no TLS on it. The library says of both only that they are of the connection.
fn is_of_tls(error: &lettre::transport::smtp::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        if let Some(io) = next.downcast_ref::<io::Error>() {
            return matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof);
        }
        cause = next.source();
    }
    false
}

fn is_this_machine(host: &str) -> bool {
    let name = host == "localhost" || host.ends_with(".localhost");
    name || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The certificates in a file of them.
fn certificates(pem: &[u8]) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = String::from_utf8_lossy(pem);
    let begun = text.split(END).filter_map(|part| Some(&part[part.find("-----BEGIN CERTIFICATE-----")?..]));
    begun.map(|part| format!("{part}{END}\n")).collect()
}

fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<SmtpSettings, BadSmtpUrl> {
        SmtpSettings::parse(url, None, "Guildhall <guild@example.com>".parse().unwrap(), Vec::new())
    }

    #[test]
    fn an_address_of_a_mail_server_is_read_or_refused() {
        for (url, server) in [
            ("smtps://mail.example.com", "mail.example.com:465 (TLS)"),
            ("smtps://u:p@Mail.Example.com:1465/", "mail.example.com:1465 (TLS)"),
            ("smtp://u:p%40%3A@mail.example.com?tls=required", "mail.example.com:587 (STARTTLS)"),
            ("smtp://localhost:2525", "localhost:2525 (without TLS)"),
            ("smtp://127.0.0.1", "127.0.0.1:25 (without TLS)"),
            ("smtp://[::1]:26", "::1:26 (without TLS)"),
        ] {
            assert_eq!(parse(url).unwrap().server(), server, "{url}");
        }
        for url in ["smtp://mail.example.com", "smtp://10.0.0.1", "smtp://u:p@mail.example.com?tls=opportunistic"] {
            assert_eq!(parse(url).unwrap_err(), BadSmtpUrl::Clear, "{url}");
        }
        for url in [
            "mail.example.com",
            "http://mail.example.com",
            "smtps://",
            "smtps://user@mail.example.com",
            "smtps://:pw@h",
            "smtps://h?tls=off",
            "smtps://h?x=1",
            "smtps://h/path",
            "smtps://u:%zz@h",
            "smtps://u:%ff@h",
        ] {
            assert_eq!(parse(url).unwrap_err(), BadSmtpUrl::Form, "{url}");
        }
    }

    #[test]
    fn the_password_shows_nowhere() {
        let settings = parse("smtp://u:s3cret%21@mail.example.com?tls=required").unwrap();
        assert_eq!(settings.login.as_ref().unwrap().1.expose(), "s3cret!");
        assert!(!format!("{settings:?} {}", settings.server()).contains("s3cret"));
        let from = "guild@example.com".parse().unwrap();
        let by_file = SmtpSettings::parse("smtps://u@h.example", Some(Secret::new("of the file")), from, Vec::new());
        assert_eq!(by_file.unwrap().login.unwrap().1.expose(), "of the file");
    }
}
