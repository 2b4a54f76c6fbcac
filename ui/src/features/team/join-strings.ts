/** What the pages say on which one joins or sets a new password; apart, for they are read before the sign-in. */
export const join = {
  title: "Join the team",
  lead: (role: string) => `You are invited as ${role}.`,
  openTitle: "Create your account",
  openLead: "Sign-up is open on this server.",
  name: "Your name",
  email: "E-mail",
  emailHelp: "The address that was invited.",
  password: "Password",
  passwordHelp: "At least 12 characters. A few unrelated words do well.",
  submit: "Create account",
  bad: "This invitation cannot be used",
  badHelp: "It was used already, was taken back, or has ended. Ask whoever invited you for a new one.",
  closed: "Sign-up is closed",
  closedHelp: "Ask an admin of the team for an invitation.",
  signIn: "Sign in",
  haveAccount: "You have an account?",
  newHere: "New here?",
  create: "Create an account",
} as const;

export const reset = {
  title: "Set a new password",
  lead: "Every browser in which you are signed in is signed out.",
  password: "New password",
  again: "Once more",
  differ: "The two are not the same.",
  submit: "Set password",
  done: "Your password is set",
  doneLead: "Sign in with it now.",
  bad: "This link cannot be used",
  badHelp: "It was used already, was replaced by another, or has ended. Ask an admin for a new one.",
} as const;
