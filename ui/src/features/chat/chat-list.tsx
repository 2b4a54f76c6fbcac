import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useMay } from "@/api/queries";
import type { FeatureCard, ProjectListItem } from "@/api/types";
import { ErrorState } from "@/components/state";
import { StatusIcon } from "@/components/status";
import { Button } from "@/components/ui/button";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { cn } from "@/lib/cn";
import { Time } from "@/lib/time";
import { chatQueries } from "./queries";
import { s } from "./strings";

/** The chats of a project, those in which something happened last first. */
export function ChatList({
  projects,
  projectId,
  onProject,
  mine,
  onMine,
  current,
}: {
  projects: ProjectListItem[];
  projectId: string;
  onProject: (id: string) => void;
  mine: boolean;
  onMine: (mine: boolean) => void;
  current: string | undefined;
}) {
  const list = useInfiniteQuery(chatQueries.list(projectId, mine));
  const mayTalk = useMay("run");
  const chats = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex flex-col gap-2 border-line border-b p-3">
        <div className="flex items-center justify-between gap-2">
          <h2 className="font-semibold text-lg">{s.title}</h2>
          {mayTalk && (
            <Button
              size="sm"
              variant="primary"
              render={<Link to="/chat" search={{ p: projectId, fresh: true }} />}
            >
              <Plus /> {s.fresh}
            </Button>
          )}
        </div>
        <div className="flex gap-2">
          <Select
            label={s.project}
            value={projectId}
            onChange={onProject}
            className="min-w-0 flex-1"
            options={projects.map((project) => ({ value: project.id, label: project.name }))}
          />
          <Select<"mine" | "all">
            label={s.whose}
            value={mine ? "mine" : "all"}
            onChange={(whose) => onMine(whose === "mine")}
            className="w-32"
            options={[
              { value: "mine", label: s.mine },
              { value: "all", label: s.everybody },
            ]}
          />
        </div>
      </div>
      <nav aria-label={s.list} className="min-h-0 flex-1 overflow-y-auto p-2 scroll-thin">
        {list.isPending && (
          <div role="status" className="flex flex-col gap-2 p-1">
            <Skeleton className="h-10" />
            <Skeleton className="h-10" />
            <Skeleton className="h-10" />
          </div>
        )}
        {list.isError && <ErrorState error={list.error} onRetry={() => void list.refetch()} />}
        {list.isSuccess && chats.length === 0 && (
          <p className="px-2 py-6 text-center text-faint text-sm">{s.none}</p>
        )}
        <ul className="flex flex-col gap-px">
          {chats.map((chat) => (
            <li key={chat.id}>
              <Row chat={chat} current={chat.id === current} />
            </li>
          ))}
        </ul>
        {list.hasNextPage && (
          <Button
            size="sm"
            variant="ghost"
            className="mt-1 w-full"
            busy={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
          >
            {s.more}
          </Button>
        )}
      </nav>
    </div>
  );
}

function Row({ chat, current }: { chat: FeatureCard; current: boolean }) {
  const active = chat.status === "queued" || chat.status === "in_progress" || chat.status === "failed";
  return (
    <Link
      to="/chat/$chatId"
      params={{ chatId: chat.id }}
      aria-current={current ? "page" : undefined}
      className={cn(
        "flex items-center gap-2 rounded-md px-2 py-2 text-sm hover:bg-hover",
        current && "bg-pressed font-medium",
      )}
    >
      <span dir="auto" className="min-w-0 flex-1 truncate">
        {chat.title}
      </span>
      {active ? (
        <>
          <StatusIcon status={chat.status} className="size-3.5" />
          <span className="sr-only">
            {chat.status === "failed" ? s.failed : chat.status === "queued" ? s.waits : s.answering}
          </span>
        </>
      ) : (
        <Time at={chat.updatedAt} className="shrink-0 font-normal text-muted text-xs" />
      )}
    </Link>
  );
}
