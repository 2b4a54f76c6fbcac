import { Brain } from "lucide-react";
import { useDeferredValue, useLayoutEffect, useRef, useState } from "react";
import { useMembers } from "@/api/queries";
import { Logo } from "@/components/logo";
import { Markdown } from "@/components/markdown";
import { Avatar } from "@/components/ui/avatar";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { Time } from "@/lib/time";
import { FileLinks } from "../FileLinks";
import { s } from "../strings";
import { Fold } from "./Fold";
import type { Item } from "./timeline";

type Of<K extends Item["kind"]> = Extract<Item, { kind: K }>;

/** What a member said, or the task itself. */
export function Said({ item, open, onToggle }: { item: Of<"said">; open: boolean; onToggle: () => void }) {
  const member = useMembers().data?.find((entry) => entry.id === item.memberId);
  return (
    <div className="my-2 rounded-xl border border-line bg-surface px-3.5 pt-2.5 pb-3 shadow-card">
      <div className="mb-1.5 flex items-center gap-2 text-xs">
        {item.memberId === null || member === undefined ? (
          <Logo className="size-5" />
        ) : (
          <Avatar name={member.name} id={member.id} picture={member.avatar} size="sm" />
        )}
        <span className="font-medium">{member?.name ?? s.live.guildhall}</span>
        {/* What a chat begins with is a message like the others. */}
        {item.opening && <span className="text-faint in-data-talk:hidden">{s.live.task}</span>}
        <span className="flex-1" />
        <Time at={item.at} className="text-faint" />
      </div>
      <Clamp open={open} onToggle={onToggle}>
        <Markdown text={item.text} />
      </Clamp>
      {item.files && <FileLinks files={item.files} label={s.live.files} className="mt-2.5" />}
    </div>
  );
}

/** Long text, cut to some lines until the rest is asked for. */
function Clamp({
  open,
  onToggle,
  children,
}: {
  open: boolean;
  onToggle: () => void;
  children: React.ReactNode;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [long, setLong] = useState(false);
  useLayoutEffect(() => {
    const el = box.current;
    if (el === null) return;
    const look = () => setLong(el.scrollHeight > el.clientHeight + 8 || open);
    look();
    const observer = new ResizeObserver(look);
    observer.observe(el);
    return () => observer.disconnect();
  }, [open]);
  return (
    <>
      <div
        ref={box}
        className={cn(
          !open && "max-h-52 overflow-hidden",
          !open && long && "[mask-image:linear-gradient(black_70%,transparent)]",
        )}
      >
        {children}
      </div>
      {long && (
        <Button variant="quiet" size="sm" className="-mb-1 -ml-2.5" onClick={onToggle}>
          {open ? s.live.less : s.live.more}
        </Button>
      )}
    </>
  );
}

/** Characters up to which words are shown as Markdown while they are still being written. */
const SHORT = 8_000;

/** What the agent said, or says. */
export function Words({ text, live, missing }: { text: string; live?: boolean; missing?: boolean }) {
  // Typing and scrolling go first while many words come.
  const shown = useDeferredValue(text);
  if (!live) {
    return (
      <div className="py-1.5">
        <Markdown text={text} />
      </div>
    );
  }
  return (
    <div className="py-1.5">
      {missing && <p className="text-faint text-xs italic">{s.live.cutOff}</p>}
      {shown.length <= SHORT ? (
        <Markdown text={shown} className="caret-md" />
      ) : (
        <p className="caret whitespace-pre-wrap [overflow-wrap:anywhere]">{shown}</p>
      )}
    </div>
  );
}

/** What the agent thought, folded to its first line. */
export function Thinking({
  text,
  live,
  open,
  onToggle,
}: {
  text: string;
  live?: boolean;
  open: boolean;
  onToggle: () => void;
}) {
  // While it is written the latest words are of interest, afterwards the first.
  const glimpse = live
    ? text.slice(-160).replace(/\s+/g, " ")
    : text.trim().slice(0, 240).replace(/\s+/g, " ");
  return (
    <Fold
      open={open}
      onToggle={onToggle}
      line={
        <>
          <Brain
            aria-hidden
            className={cn("size-3.5 shrink-0 text-faint", live && "animate-pulse-soft text-accent-text")}
          />
          <span className="shrink-0 text-faint">{live ? s.live.thinks : s.live.thought}</span>
          {!open && (
            <span
              className={cn(
                "min-w-0 truncate text-faint italic",
                live && "flex-1 text-left [direction:rtl] [unicode-bidi:plaintext]",
              )}
            >
              {glimpse}
            </span>
          )}
        </>
      }
    >
      <p className={cn("whitespace-pre-wrap text-muted text-sm [overflow-wrap:anywhere]", live && "caret")}>
        {text}
      </p>
    </Fold>
  );
}
