import { body, client, path } from "@/api/client";
import type { WebAuthnJson } from "@/lib/passkeys";

/** Second factors and passkeys: what they are set up and signed in with. */
export const factorCalls = {
  secondStep: () => body(client.GET("/api/auth/second-step")),
  passSecondStep: (shown: { code: string } | { recoveryCode: string }) =>
    body(client.POST("/api/auth/second-step", { body: shown })),
  askPasskey: (secondStep: boolean) =>
    body(client.POST("/api/auth/passkey/options", { body: { secondStep } })),
  signInByPasskey: (credential: WebAuthnJson) =>
    body(client.POST("/api/auth/passkey", { body: { credential } })),
  beginTotp: () => body(client.POST("/api/auth/totp")),
  enableTotp: (code: string) => body(client.POST("/api/auth/totp/enable", { body: { code } })),
  deleteTotp: () => body(client.DELETE("/api/auth/totp")),
  renewRecoveryCodes: () => body(client.POST("/api/auth/recovery-codes")),
  beginPasskey: () => body(client.POST("/api/auth/passkeys/options")),
  createPasskey: (name: string, credential: WebAuthnJson) =>
    body(client.POST("/api/auth/passkeys", { body: { name, credential } })),
  renamePasskey: (id: string, name: string) =>
    body(client.PATCH("/api/auth/passkeys/{id}", { ...path(id), body: { name } })),
  deletePasskey: (id: string) => body(client.DELETE("/api/auth/passkeys/{id}", path(id))),
};
