import { Button } from "@/components/ui/button";

/** A line above the form that says what is special about it, with what can be done about that. */
export function CardNotice({
  text,
  action,
  onAction,
}: {
  text: string;
  action?: string;
  onAction?: () => void;
}) {
  return (
    <div
      role="status"
      className="flex flex-wrap items-center gap-2 rounded-md bg-amber-soft px-3 py-1.5 text-sm"
    >
      <p className="min-w-48 flex-1">{text}</p>
      {action !== undefined && (
        <Button size="sm" onClick={onAction}>
          {action}
        </Button>
      )}
    </div>
  );
}
