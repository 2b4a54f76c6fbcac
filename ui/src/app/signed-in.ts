/** Set while somebody is signed in on this device: then the socket need not wait for the answer to who it is. */
const HINT = "guildhall.signed-in";

export const wasSignedIn = () => localStorage.getItem(HINT) !== null;
export const noteSignedIn = () => localStorage.setItem(HINT, "yes");
export const noteSignedOut = () => localStorage.removeItem(HINT);
