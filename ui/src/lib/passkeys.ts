// Passkeys, between the browser's own objects and the JSON that the server speaks. Browsers that do the translation
// themselves are still too new to be relied on.

type Json = Record<string, unknown>;
/** An object of WebAuthn as JSON. The API passes it on and does not describe what is in it. */
export type WebAuthnJson = Record<string, never>;
type Listed = { id: string; type: PublicKeyCredentialType; transports?: AuthenticatorTransport[] };

const bytes = (text: string) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

const text = (buffer: ArrayBuffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");

const listed = (list: unknown): PublicKeyCredentialDescriptor[] =>
  ((list ?? []) as Listed[]).map((entry) => ({ ...entry, id: bytes(entry.id) }));

/** Whether this browser knows passkeys at all. */
export const knowsPasskeys = () => typeof PublicKeyCredential !== "undefined";

/** Whether this browser offers passkeys among what it fills into a form. */
export const fillsInPasskeys = async () =>
  knowsPasskeys() && ((await PublicKeyCredential.isConditionalMediationAvailable?.()) ?? false);

/** Has the browser make a passkey. Throws what the browser throws, such as when the member declines. */
export async function makePasskey(asked: WebAuthnJson): Promise<WebAuthnJson> {
  const question: Json = asked;
  const user = question.user as Json;
  const made = (await navigator.credentials.create({
    publicKey: {
      ...question,
      challenge: bytes(question.challenge as string),
      user: { ...user, id: bytes(user.id as string) },
      excludeCredentials: listed(question.excludeCredentials),
    } as unknown as PublicKeyCredentialCreationOptions,
  })) as PublicKeyCredential;
  const response = made.response as AuthenticatorAttestationResponse;
  return written(made, {
    attestationObject: text(response.attestationObject),
    clientDataJSON: text(response.clientDataJSON),
    transports: response.getTransports?.() ?? [],
  });
}

/** Has the browser show a passkey: asks for one, or (`quietly`) offers it among what is filled into a form. */
export async function showPasskey(asked: WebAuthnJson, quietly?: AbortSignal): Promise<WebAuthnJson> {
  const question: Json = asked;
  const shown = (await navigator.credentials.get({
    publicKey: {
      ...question,
      challenge: bytes(question.challenge as string),
      allowCredentials: listed(question.allowCredentials),
    } as unknown as PublicKeyCredentialRequestOptions,
    ...(quietly === undefined ? {} : { mediation: "conditional", signal: quietly }),
  })) as PublicKeyCredential;
  const response = shown.response as AuthenticatorAssertionResponse;
  return written(shown, {
    authenticatorData: text(response.authenticatorData),
    clientDataJSON: text(response.clientDataJSON),
    signature: text(response.signature),
    userHandle: response.userHandle === null ? null : text(response.userHandle),
  });
}

const written = (credential: PublicKeyCredential, response: Json) =>
  ({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    clientExtensionResults: {},
    response,
  }) as unknown as WebAuthnJson;

/** Whether the member, or the browser, chose not to go on: that needs no words of a failure. */
export const declined = (cause: unknown) =>
  cause instanceof DOMException && (cause.name === "NotAllowedError" || cause.name === "AbortError");
