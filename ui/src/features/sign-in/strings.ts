/** What is said around signing in by a provider; read before the sign-in. */
export const signIn = {
  or: "or",
  with: (label: string) => `Continue with ${label}`,
  confirmTitle: "Confirm that it is you",
  confirmGoing: "You are taken to your provider.",
  confirmed: "It is you",
  confirmedLead: "Go on in the other window; you can close this one.",
  againTitle: "Your session has ended",
  againLead: "Sign in once more and go on where you were: what is not saved yet is still there.",
  againLeave: "Leave without saving",
  confirmClose: "Close this window, and begin again in the other one.",
} as const;

/** Why somebody came back from a provider without what they went for, by the word in the address. */
const problems: Record<string, string> = {
  "try-ended":
    "This sign-in was begun in another browser, took longer than ten minutes or was finished already. Begin again.",
  "provider-declined": "You did not sign in there. Begin again if you want to.",
  "provider-ended": "The provider ended the sign-in. Begin again.",
  "provider-away":
    "The provider cannot be reached at the moment. Try again in a minute, or sign in another way.",
  "provider-untrusted":
    "What the provider answered could not be verified, so nobody was signed in. Begin again, and tell your operator if it stays so.",
  "email-unverified":
    "The provider has not verified your e-mail address. Verify it there, or join with a password.",
  "no-account": "Nobody in this team signs in by this account. Ask an admin for an invitation.",
  "link-first":
    "A member has this e-mail address but has not linked this account. Sign in as before, then link it under Settings.",
  "bad-invitation":
    "The invitation cannot be used: it is not for the address of this account, was used or taken back, or has ended. Ask for a new one.",
  "account-disabled": "Your account is disabled. Ask an admin of your team.",
  "identity-taken":
    "This account is linked to another member of the team. Choose another account there, or unlink it first.",
  "other-person":
    "You came back with another account than the one that is linked to you. Sign in there as yourself.",
  "not-fresh":
    "The provider does not say that you proved anew who you are. Ask an admin for a link to set a password, and confirm with that.",
  "not-found": "This server does not offer this way to sign in any more.",
  "signed-out": "Your session has ended meanwhile. Sign in and begin again.",
  throttled: "That was tried too often. Wait a minute and begin again.",
  "foreign-origin":
    "Under this name the server cannot be signed in to. Your operator must set GUILDHALL_PUBLIC_URL.",
};

/** The sentence for a word in the address; a word that nobody knows is not repeated. */
export function problemText(code: string): string {
  return (
    (Object.hasOwn(problems, code) ? problems[code] : undefined) ??
    "The sign-in came to nothing. Begin again; if it stays so, tell your operator."
  );
}
