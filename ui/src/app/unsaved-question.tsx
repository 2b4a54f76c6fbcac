import { Confirm } from "@/components/ui/dialog";
import { leaving } from "@/lib/unsaved";
import { t } from "@/strings";
import { SignInAgain } from "./sign-in-again";

/** Asks whether to leave what is not saved. Whose session ends over it signs in again there. */
export default function UnsavedQuestion() {
  const question = leaving.use();
  return (
    <>
      <Confirm
        open={question !== null}
        onOpenChange={(open) => !open && leaving.get()?.answer(false)}
        title={t.unsaved.title}
        confirm={t.unsaved.leave}
        cancel={t.unsaved.stay}
        danger
        onConfirm={() => leaving.get()?.answer(true)}
      >
        {question?.text}
      </Confirm>
      <SignInAgain />
    </>
  );
}
