import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { team } from "./strings";

const words = team.stopAll;

/** Asks whether every agent of the team is to stop, and stops them. */
export default function StopAllConfirm({
  open,
  onOpenChange,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  return (
    <Confirm
      open={open}
      onOpenChange={onOpenChange}
      title={words.ask}
      confirm={words.confirm}
      danger
      onConfirm={async () => {
        try {
          const { runs, autoModes } = await api.stopAll();
          toast.done(words.done(runs, autoModes));
        } catch (cause) {
          toast.error(undefined, asApiError(cause));
          throw cause;
        }
      }}
    >
      {words.what}
    </Confirm>
  );
}
