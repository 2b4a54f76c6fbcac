import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { MessagesSquare } from "lucide-react";
import { isLost } from "@/api/error";
import { queries, useMay, useProjects } from "@/api/queries";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { ChatList } from "@/features/chat/chat-list";
import { Conversation } from "@/features/chat/conversation";
import { NewChat } from "@/features/chat/new-chat";
import { s } from "@/features/chat/strings";
import { cn } from "@/lib/cn";
import { persistent } from "@/lib/persistent";
import { useTitle } from "@/lib/title";

const lastProject = persistent<string>("guildhall.chat.project", "");
const onlyMine = persistent<boolean>("guildhall.chat.mine", false);

export default function ChatPage() {
  const params = useParams({ strict: false }) as { chatId?: string };
  const search = useSearch({ strict: false }) as { p?: string; fresh?: boolean };
  const navigate = useNavigate();
  const projects = useProjects();
  const mine = onlyMine.use();
  const last = lastProject.use();
  const chat = useOpenChat(params.chatId);
  const mayTalk = useMay("run");
  useTitle(params.chatId === undefined ? s.title : undefined);

  if (isLost(projects)) return <ErrorState error={projects.error} onRetry={() => void projects.refetch()} />;
  const ready = (projects.data ?? []).filter((project) => project.status === "ready");
  const known = (id: string | undefined) => ready.find((project) => project.id === id)?.id;
  const projectId = chat ?? known(search.p) ?? known(last) ?? ready[0]?.id;
  if (projects.isPending) return <Skeleton className="m-4 h-40" />;
  if (projectId === undefined) {
    return (
      <main id="content" tabIndex={-1} className="h-full outline-none">
        <h1 className="sr-only">{s.title}</h1>
        <Empty
          icon={<MessagesSquare />}
          title={s.noProject}
          action={
            <Button variant="primary" render={<Link to="/projects" search={{ add: true }} />}>
              {s.addProject}
            </Button>
          }
        >
          {s.noProjectText}
        </Empty>
      </main>
    );
  }
  const open = params.chatId !== undefined || search.fresh === true;
  return (
    <main id="content" tabIndex={-1} className="flex h-full min-h-0 outline-none">
      {/* Of the list and what is open, a narrow screen shows one alone. */}
      <h1 className="sr-only">{s.title}</h1>
      <div
        className={cn(
          "min-h-0 w-full shrink-0 border-line border-r bg-surface lg:block lg:w-72 xl:w-80",
          open && "hidden",
        )}
      >
        <ChatList
          projects={ready}
          projectId={projectId}
          onProject={(id) => {
            lastProject.set(id);
            void navigate({ to: "/chat", search: { p: id } });
          }}
          mine={mine}
          onMine={onlyMine.set}
          current={params.chatId}
        />
      </div>
      <div className={cn("min-h-0 min-w-0 flex-1", !open && "hidden lg:block")}>
        {params.chatId !== undefined ? (
          <Conversation key={params.chatId} chatId={params.chatId} />
        ) : mayTalk ? (
          <NewChat key={projectId} projectId={projectId} />
        ) : (
          <Empty icon={<MessagesSquare />} title={s.none}>
            {s.noRight}
          </Empty>
        )}
      </div>
    </main>
  );
}

/** The project of the chat that is open. */
function useOpenChat(id: string | undefined): string | undefined {
  return useQuery({ ...queries.feature(id ?? ""), enabled: id !== undefined }).data?.projectId;
}
