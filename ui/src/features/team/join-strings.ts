/** What the pages say on which one joins or sets a new password; apart, for they are read before the sign-in. */
export const join = {
  title: "Join the team",
  lead: (role: string) => `You are invited as ${/^[aeiou]/.test(role) ? "an" : "a"} ${role}.`,
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
  forgot: "Forgot your password?",
  mailed: "Look into your mail",
  mailedLead: (email: string) =>
    `What to do next stands in the mail to ${email}. It may take some minutes to arrive.`,
} as const;

export const forgot = {
  title: "Forgot your password?",
  lead: "If there is an account with this address, a link to set a new password is mailed to it.",
  off: "This server sends no mail. Ask an admin of your team for a link to set a new password.",
  submit: "Mail me a link",
  sent: (email: string) =>
    `If there is an account with the address ${email}, a link is on its way to it. It is good for one hour.`,
  back: "Back to the sign-in",
} as const;

export const welcome = {
  title: "Finish your account",
  lead: "Your address is proved by the link that brought you here.",
  passwordHelp: "The one that you chose a moment ago.",
  bad: "This link cannot be used",
  badHelp: "It was used already or has ended. Sign up once more.",
  again: "Sign up once more",
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
  badHelp: "It was used already, was replaced by another, or has ended. Ask for a new one.",
} as const;
