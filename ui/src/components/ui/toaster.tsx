import { Toast as Base } from "@base-ui/react/toast";
import { CircleAlert, CircleCheck, X } from "lucide-react";
import { useEffect, useLayoutEffect, useState } from "react";
import { t } from "@/strings";
import { RequestId } from "./request-id";
import { showBy } from "./toast";

type Data = { requestId?: string | null };

const ERROR_MS = 12_000;

function List() {
  const { toasts, add } = Base.useToastManager<Data>();
  useEffect(
    () =>
      showBy(({ type, title, description, action, requestId }) => {
        add({
          type,
          title,
          ...(description === undefined ? {} : { description }),
          ...(action === undefined
            ? {}
            : { actionProps: { children: action.label, onClick: action.onClick } }),
          ...(type === "error"
            ? { priority: "high", timeout: ERROR_MS, data: { requestId: requestId ?? null } }
            : {}),
        });
      }),
    [add],
  );
  return toasts.map((entry) => (
    <Base.Root
      key={entry.id}
      toast={entry}
      swipeDirection={["right", "down"]}
      className="mt-2 w-full rounded-lg bg-raised shadow-pop transition-[opacity,transform] duration-200 data-ending-style:translate-x-6 data-starting-style:translate-y-3 data-ending-style:opacity-0 data-starting-style:opacity-0 data-limited:hidden"
    >
      <Base.Content className="flex items-start gap-2.5 p-3 text-sm">
        {entry.type === "error" ? (
          <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-red" />
        ) : (
          <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0 text-green" />
        )}
        <div className="min-w-0 flex-1">
          <Base.Title className="break-words font-medium" />
          <Base.Description className="break-words text-muted" />
          {entry.data?.requestId && <RequestId id={entry.data.requestId} className="mt-1" />}
          {entry.actionProps && <Base.Action className="mt-1 font-medium text-accent-text hover:underline" />}
        </div>
        <Base.Close
          aria-label={t.common.close}
          className="-m-1 rounded p-1 text-faint hover:bg-hover hover:text-ink"
        >
          <X className="size-3.5" />
        </Base.Close>
      </Base.Content>
    </Base.Root>
  ));
}

/** How high whatever one writes in stands above the lower edge, so that no toast covers it. */
function heightOfComposers(): number {
  const tops = [...document.querySelectorAll("[data-composer]")]
    .map((element) => element.getBoundingClientRect())
    .filter((box) => box.height > 0 && box.bottom > innerHeight - 120)
    .map((box) => innerHeight - box.top);
  return Math.max(0, ...tops);
}

function Place() {
  const { toasts } = Base.useToastManager();
  const [height, setHeight] = useState(0);
  const count = toasts.length;
  useLayoutEffect(() => {
    if (count > 0) setHeight(heightOfComposers());
  }, [count]);
  return (
    <Base.Viewport
      style={height > 0 ? { bottom: height + 8 } : undefined}
      className="fixed right-4 bottom-16 left-4 z-80 mx-auto flex flex-col sm:bottom-4 sm:left-auto sm:w-92"
    >
      <List />
    </Base.Viewport>
  );
}

/** Shows what `toast` is told. */
export default function Shower() {
  return (
    <Base.Provider limit={4}>
      <Base.Portal>
        <Place />
      </Base.Portal>
    </Base.Provider>
  );
}
