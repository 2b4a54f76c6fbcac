import { BookOpen, PencilLine } from "lucide-react";
import type { WorkMode } from "@/api/types";
import { Select } from "@/components/ui/select";
import { s } from "./strings";

const ICON = { read: <BookOpen className="size-3.5" />, work: <PencilLine className="size-3.5" /> };

/** What the agent may do to the files. */
export function ModeSelect({
  value,
  onChange,
  disabled,
}: {
  value: WorkMode;
  onChange: (mode: WorkMode) => void;
  disabled?: boolean;
}) {
  return (
    <Select<WorkMode>
      variant="chip"
      label={s.mode}
      value={value}
      onChange={onChange}
      options={(["read", "work"] as const).map((mode) => ({
        value: mode,
        ...s.modes[mode],
        icon: ICON[mode],
      }))}
      {...(disabled ? { disabled } : {})}
    />
  );
}
