import { Link } from "@tanstack/react-router";
import { CircleAlert, Lock, SearchX, WifiOff } from "lucide-react";
import type { ReactNode } from "react";
import { asApiError } from "@/api/error";
import { cn } from "@/lib/cn";
import { t } from "@/strings";
import { Button } from "./ui/button";
import { RequestId } from "./ui/request-id";

/** What a view is for, while there is nothing in it, and the one next step. */
export function Empty({
  icon,
  title,
  children,
  action,
  className,
}: {
  icon?: ReactNode;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  className?: string;
}) {
  return (
    <div className={cn("mx-auto flex max-w-md flex-col items-center px-6 py-16 text-center", className)}>
      {icon && (
        <div className="mb-4 flex size-11 items-center justify-center rounded-xl border border-line bg-surface text-faint shadow-card [&_svg]:size-5">
          {icon}
        </div>
      )}
      <h2 className="font-semibold text-lg">{title}</h2>
      {children && <div className="mt-1 text-muted text-sm">{children}</div>}
      {action && <div className="mt-5 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

/**
 * What happened and what to do, in place of a view that could not be fetched. What is not there or not for whoever looks is not there a
 * moment later either: then the way leads `back`, to the inbox unless somewhere is nearer.
 */
export function ErrorState({
  error: cause,
  onRetry,
  back,
  className,
}: {
  error: unknown;
  onRetry?: () => void;
  back?: ReactNode;
  className?: string;
}) {
  const error = asApiError(cause);
  const [icon, title] =
    error.status === 403
      ? [<Lock key="lock" />, t.common.forbidden]
      : error.status === 404
        ? [<SearchX key="none" />, t.common.notFound]
        : error.code === "offline"
          ? [<WifiOff key="off" />, t.common.unreachable]
          : [<CircleAlert key="bad" />, t.common.wentWrong];
  const final = error.status === 403 || error.status === 404;
  return (
    <div role="alert">
      <Empty
        icon={icon}
        title={title}
        {...(className === undefined ? {} : { className })}
        action={
          final
            ? (back ?? <Button render={<Link to="/" />}>{t.common.toInbox}</Button>)
            : onRetry && <Button onClick={onRetry}>{t.common.retry}</Button>
        }
      >
        <p>{error.status === 404 ? t.common.notFoundHelp : error.detail}</p>
        {error.requestId && !final && <RequestId id={error.requestId} className="mt-3" />}
      </Empty>
    </div>
  );
}

/** That a part of what a view shows could not be fetched: nobody is to take what is missing for what is not there. */
export function Partly({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  return (
    <div
      role="alert"
      className="mb-4 flex items-center gap-3 rounded-lg bg-amber-soft px-3 py-1.5 text-amber text-sm"
    >
      <p className="flex-1">
        {t.common.partly} {asApiError(error).detail}
      </p>
      <Button size="sm" onClick={onRetry}>
        {t.common.retry}
      </Button>
    </div>
  );
}
