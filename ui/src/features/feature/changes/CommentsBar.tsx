import { MessageSquareText } from "lucide-react";
import { use } from "react";
import type { Feature } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Popover } from "@/components/ui/popover";
import { s } from "../strings";
import { useSay } from "../useSay";
import { ordered } from "./comments";
import { DiffContext } from "./context";

/** The comments that wait to be sent, as long as there are any. */
export function CommentsBar({
  feature,
  onSent,
  onChoose,
}: {
  feature: Feature;
  onSent: () => void;
  onChoose: (path: string) => void;
}) {
  const say = useSay(feature, onSent);
  const { mayComment } = use(DiffContext);
  if (say.comments.length === 0) return null;
  return (
    <div className="flex items-center gap-2 border-line border-t bg-accent-soft px-3 py-1.5">
      <Popover
        label={s.changes.commentsTitle(say.comments.length)}
        className="max-h-96 w-96 overflow-y-auto p-1! scroll-thin"
        trigger={
          <Button variant="ghost" size="sm" className="min-w-0 text-accent-text">
            <MessageSquareText />
            <span className="truncate">{s.changes.commentsTitle(say.comments.length)}</span>
          </Button>
        }
      >
        <ul>
          {ordered(say.comments).map((comment) => (
            <li key={comment.id}>
              <button
                type="button"
                onClick={() => onChoose(comment.path)}
                className="w-full rounded-md px-2 py-1.5 text-left hover:bg-hover"
              >
                <code className="block truncate text-faint text-xs">
                  {comment.path}:{comment.line}
                </code>
                <span className="line-clamp-2 text-sm">{comment.text}</span>
              </button>
            </li>
          ))}
        </ul>
      </Popover>
      <span className="flex-1" />
      <Button variant="ghost" size="sm" onClick={say.discard}>
        {s.changes.discard}
      </Button>
      {mayComment && (
        <Button variant="primary" size="sm" busy={say.busy} onClick={say.go}>
          {s.changes.ask}
        </Button>
      )}
    </div>
  );
}
