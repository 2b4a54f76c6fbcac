import { useEffect } from "react";
import { createPortal } from "react-dom";
import { api } from "@/api/calls";
import { useMe } from "@/api/queries";
import type { Me } from "@/api/types";
import { Button } from "@/components/ui/button";
import { SignInForm } from "@/features/sign-in/form";
import { signIn } from "@/features/sign-in/strings";
import { createStore } from "@/lib/store";
import { useModal } from "./modal";

/** Set while somebody whose session has ended is asked to sign in again. */
const asked = createStore<((me: Me | null) => void) | null>(null);

/** Whether there is something on the page that asks. It comes with the first letter that is not saved, over a network that may be slow. */
const ready = createStore(false);
const PATIENCE_MS = 10_000;

function whenReady(): Promise<boolean> {
  if (ready.get()) return Promise.resolve(true);
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      stop();
      resolve(ready.get());
    };
    const timer = setTimeout(end, PATIENCE_MS);
    const stop = ready.subscribe(end);
  });
}

/** Asks for a sign-in over the page. Resolves to who signed in; to nobody, where the page is to be left. */
export async function askToSignIn(): Promise<Me | null> {
  if (!(await whenReady())) return null;
  return new Promise((resolve) => {
    asked.set(() => (me: Me | null) => {
      asked.set(null);
      resolve(me);
    });
  });
}

/** Covers the page while its member has to sign in again, and leaves it beneath as it is. */
export function SignInAgain() {
  const answer = asked.use();
  useEffect(() => {
    ready.set(true);
    return () => ready.set(false);
  }, []);
  return answer && <Cover answer={answer} />;
}

function Cover({ answer }: { answer: (me: Me | null) => void }) {
  const dialog = useModal({ stays: true });
  const email = useMe().data?.email ?? "";
  useEffect(() => {
    // Somebody may have signed in in another tab meanwhile, such as at a provider.
    const look = () => void api.me().then(answer, () => {});
    window.addEventListener("focus", look);
    return () => window.removeEventListener("focus", look);
  }, [answer]);
  return createPortal(
    <dialog
      ref={dialog}
      aria-labelledby="again-title"
      onCancel={(event) => event.preventDefault()}
      className="m-0 size-full max-h-none max-w-none overflow-y-auto bg-canvas p-0 text-ink outline-none"
    >
      <div className="flex min-h-full flex-col items-center justify-center px-5 py-10">
        <SignInForm
          email={email}
          onDone={async (me) => answer(me)}
          around={(title, lead, form) => (
            <div className="w-full max-w-sm rounded-xl border border-line bg-surface p-6 shadow-lift sm:p-7">
              <h2 id="again-title" className="font-semibold text-xl tracking-tight">
                {title}
              </h2>
              <p className="mt-1 mb-5 text-muted text-sm">{lead}</p>
              {form}
            </div>
          )}
        />
        <Button variant="quiet" className="mt-4" onClick={() => answer(null)}>
          {signIn.againLeave}
        </Button>
      </div>
    </dialog>,
    document.body,
  );
}
