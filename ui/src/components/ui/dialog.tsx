import { AlertDialog } from "@base-ui/react/alert-dialog";
import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import { type ReactNode, useCallback, useRef, useState } from "react";
import { cn } from "@/lib/cn";
import { AroundForm, type Holder, without } from "@/lib/unsaved";
import { t } from "@/strings";
import { Button } from "./button";
import { useFinalFocus } from "./final-focus";

const backdrop =
  "fixed inset-0 z-50 bg-scrim transition-opacity duration-150 data-ending-style:opacity-0 data-starting-style:opacity-0";
const box =
  "relative flex max-h-full w-full flex-col overflow-hidden rounded-xl bg-raised shadow-pop outline-none transition-[opacity,transform] duration-150 data-ending-style:scale-[0.98] data-starting-style:scale-[0.98] data-ending-style:opacity-0 data-starting-style:opacity-0";
const widths = { sm: "max-w-md", md: "max-w-xl", lg: "max-w-3xl" };

/** A window over the page. On a narrow screen it takes the whole of it. It asks before it closes over what is not saved. */
export function Dialog({
  open,
  onOpenChange,
  title,
  description,
  children,
  footer,
  width = "md",
  hideTitle,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  children: ReactNode;
  footer?: ReactNode;
  width?: keyof typeof widths;
  hideTitle?: boolean;
}) {
  const finalFocus = useFinalFocus(open);
  const [holders, setHolders] = useState<readonly Holder[]>([]);
  const [asks, setAsks] = useState(false);
  const hold = useCallback(
    (id: string, text: string | null) =>
      setHolders((before) => [...without(before, id), ...(text === null ? [] : [{ id, text }])]),
    [],
  );
  const change = (next: boolean) => {
    if (!next && holders.length > 0) setAsks(true);
    else onOpenChange(next);
  };
  return (
    <Base.Root open={open} onOpenChange={(next) => change(next)}>
      <Base.Portal>
        <Base.Backdrop className={backdrop} />
        <Base.Viewport className="fixed inset-0 z-50 flex items-end justify-center sm:items-start sm:p-6 sm:pt-[9vh]">
          <Base.Popup
            finalFocus={finalFocus}
            className={cn(box, widths[width], "rounded-b-none sm:rounded-b-xl")}
          >
            <div className={cn("flex items-start gap-3 px-5 pt-4 pb-2", hideTitle && "sr-only")}>
              <div className="min-w-0 flex-1">
                <Base.Title className="font-semibold text-lg">{title}</Base.Title>
                {description && (
                  <Base.Description className="mt-0.5 text-muted text-sm">{description}</Base.Description>
                )}
              </div>
              <Base.Close
                aria-label={t.common.close}
                className="-mr-1.5 rounded-md p-1.5 text-faint hover:bg-hover hover:text-ink"
              >
                <X className="size-4" />
              </Base.Close>
            </div>
            <AroundForm value={hold}>
              <div className="min-h-0 flex-1 overflow-y-auto scroll-thin">{children}</div>
            </AroundForm>
            {footer && (
              <div className="flex items-center justify-end gap-2 border-line border-t px-5 py-3">
                {footer}
              </div>
            )}
            <Confirm
              open={asks}
              onOpenChange={setAsks}
              title={t.unsaved.close}
              confirm={t.unsaved.discard}
              cancel={t.unsaved.stay}
              danger
              onConfirm={() => onOpenChange(false)}
            >
              {holders.at(-1)?.text}
            </Confirm>
          </Base.Popup>
        </Base.Viewport>
      </Base.Portal>
    </Base.Root>
  );
}

/** Asks before something that cannot be taken back. `onConfirm` may take its time; a refusal keeps the window open. */
export function Confirm({
  open,
  onOpenChange,
  title,
  children,
  confirm,
  cancel = t.common.cancel,
  danger,
  focusWhenGone,
  onConfirm,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  children?: ReactNode;
  confirm: string;
  /** What leaves everything as it is. */
  cancel?: string;
  danger?: boolean;
  /** What gets the focus when what had it is gone by then: what was confirmed took it away. */
  focusWhenGone?: () => Element | null;
  onConfirm: () => Promise<unknown> | unknown;
}) {
  const [busy, setBusy] = useState(false);
  const finalFocus = useFinalFocus(open, focusWhenGone);
  // What was confirmed before it was closed closes no later window.
  const closed = useRef(0);
  const change = (next: boolean) => {
    closed.current += 1;
    setBusy(false);
    onOpenChange(next);
  };
  const go = async () => {
    const now = closed.current;
    setBusy(true);
    try {
      await onConfirm();
      if (now === closed.current) change(false);
    } catch {
      // Whoever did it has said why.
      if (now === closed.current) setBusy(false);
    }
  };
  return (
    <AlertDialog.Root open={open} onOpenChange={(next) => change(next)}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className={backdrop} />
        <AlertDialog.Viewport className="fixed inset-0 z-50 flex items-center justify-center p-4">
          <AlertDialog.Popup className={cn(box, "max-w-md")} finalFocus={finalFocus}>
            <div className="px-5 pt-5 pb-4">
              <AlertDialog.Title className="font-semibold text-lg">{title}</AlertDialog.Title>
              {children && (
                <AlertDialog.Description
                  render={<div />}
                  className="mt-1.5 flex flex-col gap-2 text-muted text-sm"
                >
                  {children}
                </AlertDialog.Description>
              )}
            </div>
            <div className="flex justify-end gap-2 border-line border-t px-5 py-3">
              <AlertDialog.Close render={<Button>{cancel}</Button>} />
              <Button variant={danger ? "danger" : "primary"} busy={busy} onClick={go}>
                {confirm}
              </Button>
            </div>
          </AlertDialog.Popup>
        </AlertDialog.Viewport>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
