//! What is sent to a webhook, and how it is signed: by [Standard Webhooks](https://www.standardwebhooks.com).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::SecondsFormat;
use guildhall_types::notification::Notification;
use guildhall_types::webhook::WebhookFormat;
use guildhall_types::{DateTime, DeliveryId};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use serde_json::json;
use sha2::Sha256;

use super::PREFIX;

/// The body of a message: the same however often it is sent.
pub(super) fn body(format: WebhookFormat, kind: &str, about: &Notification, base: &str) -> String {
    let link = format!("{base}{}", about.path());
    // A test tells of nothing, and says so.
    let title = if kind == about.kind.as_str() { about.headline() } else { about.subject.clone() };
    let body = match format {
        WebhookFormat::Standard => json!({
            "type": kind,
            "timestamp": about.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "data": {
                "id": about.id,
                "title": title,
                "text": about.text,
                "subject": about.subject,
                "projectId": about.project_id,
                "featureId": about.feature_id,
                "runId": about.run_id,
                "alertId": about.alert_id,
                "executionId": about.execution_id,
                "aboutMemberId": about.about_member_id,
                "count": about.count,
                "url": link,
            },
        }),
        WebhookFormat::Slack => {
            json!({ "text": format!("*{}*\n{}\n<{link}>", plain(&title), plain(&about.text)) })
        }
    };
    body.to_string()
}

/// Text that begins no link, no mention and no command of Slack's.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The headers of a message that is sent at this moment. Nothing when the secret is none.
pub(super) fn headers(
    id: DeliveryId,
    at: DateTime,
    body: &str,
    secret: &str,
) -> Result<Option<HeaderMap>, InvalidHeaderValue> {
    let Some(key) = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok()) else { return Ok(None) };
    let (id, seconds) = (format!("msg_{}", id.0.simple()), at.timestamp());
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return Ok(None) };
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("webhook-id"), HeaderValue::from_str(&id)?);
    headers.insert(HeaderName::from_static("webhook-timestamp"), HeaderValue::from(seconds));
    headers.insert(HeaderName::from_static("webhook-signature"), HeaderValue::from_str(&signature)?);
    Ok(Some(headers))
}

#[cfg(test)]
mod tests {
    use guildhall_types::notification::NotificationKind;
    use guildhall_types::{AlertId, FeatureId, NotificationId};

    use super::*;

    #[test]
    fn a_message_is_signed_as_the_standard_has_it() {
        let secret = format!("{PREFIX}{}", STANDARD.encode([7_u8; 32]));
        let id = DeliveryId::new();
        let at: DateTime = "2026-03-01T10:05:00Z".parse().unwrap();
        let made = headers(id, at, "{}", &secret).unwrap().unwrap();
        let of = |name: &str| made[name].to_str().unwrap().to_owned();
        assert_eq!(
            (of("webhook-id"), of("webhook-timestamp")),
            (format!("msg_{}", id.0.simple()), "1772359500".to_owned())
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        mac.update(format!("msg_{}.1772359500.{{}}", id.0.simple()).as_bytes());
        let signature = mac.finalize().into_bytes();
        assert_eq!(of("webhook-signature"), format!("v1,{}", STANDARD.encode(signature)));
        assert!(headers(id, at, "{}", "no secret").unwrap().is_none());
    }

    #[test]
    fn a_title_is_no_command_in_a_chat() {
        let feature = FeatureId::new();
        let about = Notification {
            id: NotificationId::new(),
            kind: NotificationKind::CardFailed,
            project_id: None,
            feature_id: Some(feature),
            run_id: None,
            alert_id: None,
            execution_id: None,
            about_member_id: None,
            subject: "#1 <!channel> & <https://evil.example|look>".to_owned(),
            text: "It broke.".to_owned(),
            count: 1,
            seq: 1,
            at: DateTime::UNIX_EPOCH,
            read_at: None,
        };
        let sent = body(WebhookFormat::Slack, "card.failed", &about, "https://g");
        let sent: serde_json::Value = serde_json::from_str(&sent).unwrap();
        let wanted = format!(
            "*#1 &lt;!channel&gt; &amp; &lt;https://evil.example|look&gt; failed*\nIt broke.\n<https://g/f/{feature}>"
        );
        assert_eq!(sent, json!({ "text": wanted }));
    }

    #[test]
    fn an_alert_leads_to_where_it_is_silenced() {
        let about = Notification {
            id: NotificationId::new(),
            kind: NotificationKind::AlertCritical,
            project_id: None,
            feature_id: None,
            run_id: None,
            alert_id: Some(AlertId::new()),
            execution_id: None,
            about_member_id: None,
            subject: "Disk (hall-1)".to_owned(),
            text: "93 % of the disk of hall-1 are used.".to_owned(),
            count: 1,
            seq: 1,
            at: DateTime::UNIX_EPOCH,
            read_at: None,
        };
        let of = |format| -> serde_json::Value {
            serde_json::from_str(&body(format, "alert.critical", &about, "https://g")).unwrap()
        };
        let line = "*Disk (hall-1): critical*\n93 % of the disk of hall-1 are used.\n<https://g/operation/alerts>";
        assert_eq!(of(WebhookFormat::Slack), json!({ "text": line }));
        let standard = of(WebhookFormat::Standard);
        assert_eq!(
            (&standard["type"], &standard["data"]["alertId"]),
            (&json!("alert.critical"), &json!(about.alert_id))
        );
    }
}
