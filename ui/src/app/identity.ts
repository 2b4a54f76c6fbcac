import { setOnConfirmNeeded } from "@/api/client";
import { createStore } from "@/lib/store";

interface Asked {
  answer: Promise<boolean>;
  settle: (confirmed: boolean) => void;
}

/** Set while the member is asked to prove once more who they are. */
export const identity = createStore<Asked | null>(null);

/** Asks for the password, in one window for all that wait for it. Resolves to whether the member gave it. */
export function askForIdentity(): Promise<boolean> {
  const asked = identity.get();
  if (asked !== null) return asked.answer;
  let resolve: (confirmed: boolean) => void = () => {};
  const answer = new Promise<boolean>((settled) => {
    resolve = settled;
  });
  const settle = (confirmed: boolean) => {
    identity.set(null);
    resolve(confirmed);
  };
  identity.set({ answer, settle });
  return answer;
}

setOnConfirmNeeded(askForIdentity);
