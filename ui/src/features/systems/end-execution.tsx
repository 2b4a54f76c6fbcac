import { useMutation, useQueryClient } from "@tanstack/react-query";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { agents as words } from "@/features/agents/strings";
import { systemsApi } from "./api";

/** Asks before an execution is ended where one of its steps is looked at: the rest of it ends as well. */
export function EndExecution({
  executionId,
  open,
  onOpenChange,
}: {
  executionId: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: systemsApi.cancel,
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  return (
    <Confirm
      open={open}
      onOpenChange={onOpenChange}
      title={words.stopStep.ask}
      confirm={words.stopStep.confirm}
      danger
      onConfirm={async () => {
        await cancel.mutateAsync(executionId);
        void client.invalidateQueries({ queryKey: keys.execution(executionId) });
        void client.invalidateQueries({ queryKey: keys.atWork });
        toast.done(words.stopStep.done);
      }}
    >
      {words.stopStep.what}
    </Confirm>
  );
}
