//! A soft authenticator: makes passkeys and signs with them, as a browser would have it done, and wrongly where a test asks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Answer, Persona};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// One passkey, and what its authenticator says when it is asked.
pub struct Authenticator {
    key: SigningKey,
    credential_id: Vec<u8>,
    user: Vec<u8>,
    /// The name of the site that it is for.
    pub rp: String,
    /// The page that the browser says it is on.
    pub origin: String,
    /// How often it says that it has signed.
    pub counter: u32,
    /// Whether it says that it has verified its user.
    pub verifies: bool,
}

impl Authenticator {
    /// One for the page at this address.
    pub fn at(origin: &str) -> Self {
        let secret: [u8; 32] = Sha256::digest(uuid::Uuid::now_v7().as_bytes()).into();
        Self {
            key: SigningKey::from_slice(&secret).unwrap(),
            credential_id: uuid::Uuid::now_v7().as_bytes().to_vec(),
            user: Vec::new(),
            rp: "localhost".to_owned(),
            origin: origin.to_owned(),
            counter: 0,
            verifies: true,
        }
    }

    /// Answers the question for a new passkey.
    pub fn create(&mut self, question: &Value) -> Value {
        self.user = decoded(&question["publicKey"]["user"]["id"]);
        let client = self.client("webauthn.create", &question["publicKey"]["challenge"]);
        let mut data = self.data(ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.credential_id.len()).unwrap().to_be_bytes());
        data.extend(&self.credential_id);
        data.extend(self.public_key());
        let mut attestation = vec![0xa3];
        text(&mut attestation, "fmt");
        text(&mut attestation, "none");
        text(&mut attestation, "attStmt");
        attestation.push(0xa0);
        text(&mut attestation, "authData");
        bytes(&mut attestation, &data);
        let id = encoded(&self.credential_id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": { "attestationObject": encoded(&attestation), "clientDataJSON": encoded(&client), "transports": ["internal"] },
        })
    }

    /// Answers the question for a passkey that was made.
    pub fn sign(&mut self, question: &Value) -> Value {
        let client = self.client("webauthn.get", &question["publicKey"]["challenge"]);
        let data = self.data(0);
        let mut signed = data.clone();
        signed.extend(Sha256::digest(&client));
        let signature: Signature = self.key.sign(&signed);
        let id = encoded(&self.credential_id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "response": {
                "authenticatorData": encoded(&data), "clientDataJSON": encoded(&client),
                "signature": encoded(signature.to_der().as_bytes()), "userHandle": encoded(&self.user),
            },
        })
    }

    /// Claims to be for another member.
    pub fn claim(&mut self, other: &Self) {
        self.user = other.user.clone();
    }

    fn client(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        let client = json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false });
        client.to_string().into_bytes()
    }

    fn data(&self, more: u8) -> Vec<u8> {
        let mut data = Sha256::digest(self.rp.as_bytes()).to_vec();
        data.push(PRESENT | more | if self.verifies { VERIFIED } else { 0 });
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// The public key as COSE writes it: kty EC2, alg ES256, curve P-256, x, y.
    fn public_key(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_sec1_point(false);
        let mut key = vec![0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21];
        bytes(&mut key, point.x().unwrap());
        key.push(0x22);
        bytes(&mut key, point.y().unwrap());
        key
    }
}

/// A text of fewer than 24 letters, in CBOR.
fn text(out: &mut Vec<u8>, text: &str) {
    out.push(0x60 + u8::try_from(text.len()).unwrap());
    out.extend(text.as_bytes());
}

/// Bytes, in CBOR.
fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(0x59);
    out.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend(bytes);
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decoded(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

impl Persona {
    /// The same browser, with the page opened under the name of this machine: passkeys need one.
    #[must_use]
    pub fn by_name(mut self) -> Self {
        self.base = self.base.replace("127.0.0.1", "localhost");
        self.origin = Some(self.base.clone());
        self
    }

    /// Makes a passkey.
    pub async fn passkey(&mut self, name: &str) -> (Authenticator, Value) {
        let mut authenticator = Authenticator::at(&self.base);
        let question = self.call("/api/auth/passkeys/options").await.is(StatusCode::OK);
        let body = json!({ "name": name, "credential": authenticator.create(&question) });
        let made = self.post("/api/auth/passkeys", body).await.is(StatusCode::CREATED);
        (authenticator, made)
    }

    /// Signs in by a passkey, whatever comes of it.
    pub async fn sign_in_by(&mut self, authenticator: &mut Authenticator, second_step: bool) -> Answer {
        let ask = json!({ "secondStep": second_step });
        let question = self.post("/api/auth/passkey/options", ask).await.is(StatusCode::OK);
        let body = json!({ "credential": authenticator.sign(&question) });
        self.post("/api/auth/passkey", body).await
    }
}
