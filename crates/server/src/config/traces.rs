//! Where traces go: by OpenTelemetry's own settings, which operators and their tools know.

use guildhall_llm::Secret;
use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use super::layers::{self, Settings};
use crate::traces::{Collector, Share};

/// Characters of a service's name at most.
const NAME: usize = 100;

/// The collector, where one is named.
pub(super) fn read(s: &mut Settings<'_>) -> Option<Collector> {
    // Without one, the rest is of no account: it may be meant for other programs of the machine.
    if [layers::OTLP_ENDPOINT, layers::OTLP_TRACES_ENDPOINT].into_iter().all(|setting| s.find(setting).is_none()) {
        return None;
    }
    const ADDRESS: &str = "an http or https address without a user, a password, a query or a fragment";
    let base = s.address(layers::OTLP_ENDPOINT, ADDRESS, address).map(|(url, _)| url);
    let exact = s.address(layers::OTLP_TRACES_ENDPOINT, ADDRESS, address).map(|(url, _)| url);
    let headers = s.value(
        layers::OTLP_HEADERS,
        "names and values, such as api-key=value,x-team=guild, each value percent-encoded (not shown here)",
        headers,
    );
    let service = s.value(layers::OTEL_SERVICE_NAME, "a name of 1 to 100 characters", |text| {
        (1..=NAME).contains(&text.chars().count()).then(|| text.to_owned())
    });
    let share = share(s);
    s.value(layers::OTLP_PROTOCOL, "http/protobuf, which is what this server speaks", |text| {
        (text == "http/protobuf").then_some(())
    });
    let endpoint = exact.or_else(|| base.map(below))?;
    Some(Collector {
        endpoint,
        headers: headers.unwrap_or_default(),
        service: service.unwrap_or_else(|| "guildhall".to_owned()),
        share: share.unwrap_or_default(),
    })
}

fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && plain && nobody).then_some(url)
}

/// The address for traces below that of a collector.
fn below(mut base: Url) -> Url {
    let path = format!("{}/v1/traces", base.path().trim_end_matches('/'));
    base.set_path(&path);
    base
}

fn headers(text: &str) -> Option<Vec<(String, Secret)>> {
    let mut all = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        let (name, value) = (name.trim().to_ascii_lowercase(), unescaped(value.trim())?);
        HeaderName::from_bytes(name.as_bytes()).ok()?;
        HeaderValue::from_str(&value).ok()?;
        all.push((name, Secret::new(value)));
    }
    Some(all)
}

/// A text without its percent signs.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Which traces are told, in OpenTelemetry's words.
fn share(s: &mut Settings<'_>) -> Option<Share> {
    let part =
        s.value(layers::OTEL_TRACES_SAMPLER_ARG, "a share from 0 to 1, such as 0.1 for every tenth trace", |text| {
            text.parse::<f64>().ok().filter(|part| (0.0..=1.0).contains(part))
        });
    let part = part.unwrap_or(1.0);
    s.value(
        layers::OTEL_TRACES_SAMPLER,
        "always_on, always_off, traceidratio, or one of them with parentbased_ before it",
        |text| {
            let (follows, word) = match text.strip_prefix("parentbased_") {
                Some(word) => (true, word),
                None => (false, text),
            };
            let part = match word {
                "always_on" => 1.0,
                "always_off" => 0.0,
                "traceidratio" => part,
                _ => return None,
            };
            Some(Share { part, follows })
        },
    )
}
