import { Pencil, Trash2 } from "lucide-react";
import { use, useEffect, useRef } from "react";
import { useMe } from "@/api/queries";
import { Markdown } from "@/components/markdown";
import { Avatar } from "@/components/ui/avatar";
import { Button } from "@/components/ui/button";
import { Textarea } from "@/components/ui/input";
import { Keys } from "@/components/ui/kbd";
import { t } from "@/strings";
import type { Comment } from "../lib/kept";
import { s } from "../strings";
import { type Side, spot } from "./comment-state";
import { DiffContext } from "./context";

/** Everything that hangs on one line: its comments, and the field of the one that is being written. */
export function CommentsAt({ path, side, line }: { path: string; side: Side; line: number }) {
  const { comments } = use(DiffContext);
  const all = comments.list.use();
  const writing = comments.writing.use();
  const here = all.filter(
    (comment) => comment.path === path && comment.side === side && comment.line === line,
  );
  const editing =
    writing !== null && writing.path === path && writing.side === side && writing.line === line
      ? writing
      : null;
  if (here.length === 0 && editing === null) return null;
  return (
    <div className="flex flex-col gap-2 border-line border-y bg-canvas px-3 py-2.5 font-sans">
      {here.map((comment) =>
        editing?.id === comment.id ? (
          <Field key={comment.id} />
        ) : (
          <OneComment key={comment.id} comment={comment} />
        ),
      )}
      {editing !== null && editing.id === null && <Field />}
    </div>
  );
}

/** A comment that is not sent yet. */
export function OneComment({ comment, place }: { comment: Comment; place?: React.ReactNode }) {
  const { comments } = use(DiffContext);
  const me = useMe().data;
  return (
    <div className="max-w-3xl rounded-lg border border-line bg-surface px-3 py-2 shadow-card">
      <div className="flex items-center gap-2 text-xs">
        {me && <Avatar name={me.name} id={me.id} picture={me.avatar} size="sm" />}
        <span className="min-w-0 flex-1 truncate text-faint">{place ?? me?.name}</span>
        <Button
          variant="ghost"
          size="icon-sm"
          className="-my-1"
          aria-label={s.changes.editComment}
          onClick={() => comments.edit(comment)}
        >
          <Pencil className="size-3.5!" />
        </Button>
        <Button
          variant="ghost"
          size="icon-sm"
          className="-my-1 -mr-1.5 -ml-1"
          aria-label={s.changes.removeComment}
          onClick={() => comments.remove(comment.id)}
        >
          <Trash2 className="size-3.5!" />
        </Button>
      </div>
      <Markdown text={comment.text} className="mt-1 text-sm" />
    </div>
  );
}

/** The comment that is being written. */
export function Field() {
  const { comments } = use(DiffContext);
  const writing = comments.writing.use();
  const text = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (comments.wasBegun()) text.current?.focus();
  }, [comments]);
  if (writing === null) return null;
  // Back to the line, so that the keyboard goes on from there.
  const leave = (element: Element) => {
    const row = element
      .closest("[data-file]")
      ?.querySelector(`[data-spot="${spot(writing.side, writing.line)}"]`);
    if (row instanceof HTMLElement) row.focus({ preventScroll: true });
  };
  return (
    <form
      className="flex max-w-3xl flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        leave(event.currentTarget);
        comments.keep();
      }}
    >
      <Textarea
        ref={text}
        aria-label={s.changes.comment}
        placeholder={s.changes.commentPlace}
        rows={3}
        value={writing.text}
        onChange={(event) => comments.writing.set({ ...writing, text: event.target.value })}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) {
            event.preventDefault();
            event.currentTarget.form?.requestSubmit();
          } else if (event.key === "Escape") {
            event.preventDefault();
            event.stopPropagation();
            leave(event.currentTarget);
            comments.writing.set(null);
          }
        }}
      />
      <div className="flex items-center gap-2">
        <Button type="submit" variant="primary" size="sm" disabled={writing.text.trim() === ""}>
          {writing.id === null ? s.changes.saveComment : s.changes.updateComment}
        </Button>
        <Button
          size="sm"
          onClick={(event) => {
            leave(event.currentTarget);
            comments.writing.set(null);
          }}
        >
          {t.common.cancel}
        </Button>
        <span className="ml-auto hidden @sm:inline">
          <Keys keys="mod+enter" />
        </span>
      </div>
    </form>
  );
}
