import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowLeft, CircleStop, Ellipsis, Pencil, RotateCcw, SquareKanban, Trash2 } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { api } from "@/api/calls";
import { asApiError, isLost } from "@/api/error";
import { keys } from "@/api/keys";
import { useFeature, useMay, useMe, useRuns } from "@/api/queries";
import type { Feature, WorkMode } from "@/api/types";
import { loadMarkdown } from "@/components/markdown";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Confirm, Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Menu, MenuItem, MenuSeparator } from "@/components/ui/menu";
import { TabPanel, Tabs } from "@/components/ui/tabs";
import { toast } from "@/components/ui/toast";
import { Facts } from "@/features/feature/header/Facts";
import { Level } from "@/features/feature/level";
import { forgetKept, kept } from "@/features/feature/lib/kept";
import { LiveTab } from "@/features/feature/live/LiveTab";
import { DiffSkeleton, TimelineSkeleton } from "@/features/feature/Skeletons";
import { AgentName } from "@/features/library/agent-name";
import { useTitle } from "@/lib/title";
import { putFeature } from "@/live/apply";
import { rememberThing } from "@/live/recent";
import { t } from "@/strings";
import { Composer } from "./composer";
import { useFiles } from "./files";
import { ModeSelect } from "./mode-select";
import { chatCalls, useChatDeed, useSending } from "./queries";
import { s } from "./strings";
import "@/features/feature/feature.css";

void loadMarkdown();
const ChangesTab = lazy(() =>
  import("@/features/feature/changes/ChangesTab").then((module) => ({ default: module.ChangesTab })),
);
const ParkedNotice = lazy(() => import("@/features/usage/parked"));

/** A conversation with an agent, as it happens. */
export function Conversation({ chatId }: { chatId: string }) {
  const chat = useFeature(chatId);
  useTitle(chat.data?.title);
  if (chat.isPending) return <TimelineSkeleton />;
  if (isLost(chat)) return <ErrorState error={chat.error} onRetry={() => void chat.refetch()} />;
  if (chat.data.kind !== "chat") return <IsCard feature={chat.data} />;
  return <Loaded key={chatId} chat={chat.data} />;
}

/** What was a chat and is on the board now. */
function IsCard({ feature }: { feature: Feature }) {
  return (
    <div className="flex h-full flex-col items-center justify-center gap-4 px-6 text-center">
      <p className="text-muted text-sm">{s.isCard}</p>
      <Button variant="primary" render={<Link to="/f/$featureId" params={{ featureId: feature.id }} />}>
        {s.openCard}
      </Button>
    </div>
  );
}

function Loaded({ chat }: { chat: Feature }) {
  const runs = useRuns(chat.id);
  const mayTalk = useMay("run");
  const [tab, setTab] = useState<"talk" | "changes">("talk");
  const run = runs.data?.[0];
  const changes = chat.mode === "work" || chat.filesChanged > 0;
  return (
    <Level value="h3">
      <article
        aria-label={chat.title}
        data-talk=""
        className="@container flex h-full min-h-0 flex-col bg-canvas"
      >
        <Header chat={chat} mayTalk={mayTalk} />
        {run?.parkedFor && chat.status === "queued" && (
          <Suspense fallback={null}>
            <ParkedNotice run={run} />
          </Suspense>
        )}
        {chat.error && (
          <div role="alert" className="mx-4 mb-2 rounded-lg bg-red-soft px-3 py-1.5 text-red text-sm">
            <p className="font-medium">{chat.error.message}</p>
            <p>{chat.error.hint}</p>
          </div>
        )}
        {isLost(runs) ? (
          <ErrorState error={runs.error} onRetry={() => void runs.refetch()} />
        ) : runs.isPending ? (
          <TimelineSkeleton />
        ) : changes ? (
          <Tabs<"talk" | "changes">
            value={tab}
            onChange={setTab}
            className="flex min-h-0 flex-1 flex-col"
            listClassName="px-2"
            tabs={[
              { value: "talk", label: s.talk },
              {
                value: "changes",
                label: s.changes,
                badge: chat.filesChanged > 0 && (
                  <span className="num rounded-full bg-grey-soft px-1.5 text-2xs text-muted">
                    {chat.filesChanged}
                  </span>
                ),
              },
            ]}
          >
            <TabPanel value="talk" className="min-h-0 flex-1">
              <LiveTab feature={chat} run={run} latest turn={undefined} go={() => {}} action={null} />
            </TabPanel>
            <TabPanel value="changes" className="min-h-0 flex-1">
              <Suspense fallback={<DiffSkeleton />}>
                <ChangesTab
                  feature={chat}
                  run={run}
                  mayBuild={mayTalk}
                  action={null}
                  onSent={() => setTab("talk")}
                />
              </Suspense>
            </TabPanel>
          </Tabs>
        ) : (
          <div className="min-h-0 flex-1">
            <LiveTab feature={chat} run={run} latest turn={undefined} go={() => {}} action={null} />
          </div>
        )}
        <Say chat={chat} mayTalk={mayTalk} onSent={() => setTab("talk")} />
      </article>
    </Level>
  );
}

function Header({ chat, mayTalk }: { chat: Feature; mayTalk: boolean }) {
  const me = useMe().data;
  const administers = useMay("administer");
  const runs = useRuns(chat.id).data;
  const stop = useChatDeed(() => chatCalls.stop(chat.id));
  const retry = useChatDeed(() => api.retry(chat.id));
  const [asked, setAsked] = useState<"rename" | "card" | "remove" | null>(null);
  const active = chat.status === "queued" || chat.status === "in_progress";
  const own = mayTalk && (administers || chat.createdBy === me?.id);
  return (
    <header className="flex flex-col gap-1.5 px-4 pt-3 pb-2">
      <div className="flex items-center gap-2">
        <Link
          to="/chat"
          search={{ p: chat.projectId }}
          aria-label={s.back}
          className="-ml-1.5 rounded-md p-1.5 text-faint hover:bg-hover hover:text-ink lg:hidden"
        >
          <ArrowLeft aria-hidden className="size-4" />
        </Link>
        <h2 dir="auto" className="min-w-0 flex-1 truncate font-semibold text-lg">
          {chat.title}
        </h2>
        {mayTalk && active && (
          <Button size="sm" busy={stop.isPending} onClick={() => stop.mutate(undefined)}>
            <CircleStop /> {s.stop}
          </Button>
        )}
        {mayTalk && (chat.status === "failed" || chat.status === "paused") && (
          <Button size="sm" busy={retry.isPending} onClick={() => retry.mutate(undefined)}>
            <RotateCcw /> {s.again}
          </Button>
        )}
        {mayTalk && !active && (
          <Button size="sm" onClick={() => setAsked("card")}>
            <SquareKanban /> <span className="hidden @md:inline">{s.toCard}</span>
            <span className="sr-only @md:hidden">{s.toCard}</span>
          </Button>
        )}
        {own && (
          <Menu
            align="end"
            trigger={
              <Button variant="ghost" size="icon-sm" aria-label={s.menu}>
                <Ellipsis />
              </Button>
            }
          >
            <MenuItem icon={<Pencil />} onClick={() => setAsked("rename")}>
              {s.rename}
            </MenuItem>
            <MenuSeparator />
            <MenuItem icon={<Trash2 />} danger disabled={active} onClick={() => setAsked("remove")}>
              {s.remove}
            </MenuItem>
          </Menu>
        )}
      </div>
      <div className="flex flex-wrap items-center gap-x-3.5 gap-y-1">
        {chat.agentId && <AgentName id={chat.agentId} className="text-muted text-xs" />}
        <Facts feature={chat} run={runs?.[0]} />
      </div>
      {asked === "rename" && <Named chat={chat} deed="rename" onClose={() => setAsked(null)} />}
      {asked === "card" && <Named chat={chat} deed="card" onClose={() => setAsked(null)} />}
      <Remove chat={chat} open={asked === "remove"} onClose={() => setAsked(null)} />
    </header>
  );
}

/** Asks for a title: to rename the chat, or for the card that it becomes. */
function Named({ chat, deed, onClose }: { chat: Feature; deed: "rename" | "card"; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [title, setTitle] = useState(chat.title);
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    try {
      const wanted = title.trim();
      const changed =
        deed === "rename" ? await chatCalls.rename(chat.id, wanted) : await chatCalls.toCard(chat.id, wanted);
      rememberThing("feature", changed.id, changed);
      putFeature(client, changed);
      onClose();
      if (deed === "card") {
        toast.done(s.toCardDone(changed.number));
        void navigate({ to: "/f/$featureId", params: { featureId: chat.id } });
      }
    } catch (cause) {
      toast.error(undefined, asApiError(cause));
      setBusy(false);
    }
  };
  const label = deed === "rename" ? s.rename : s.toCard;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={label}
      {...(deed === "card" ? { description: s.toCardText } : {})}
      width="sm"
    >
      <form
        className="flex flex-col gap-4 px-5 pb-5"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        <Field label={s.titleLabel}>
          <Input
            value={title}
            maxLength={200}
            required
            autoFocus
            onChange={(event) => setTitle(event.target.value)}
          />
        </Field>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" variant="primary" busy={busy} disabled={title.trim() === ""}>
            {label}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Remove({ chat, open, onClose }: { chat: Feature; open: boolean; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  return (
    <Confirm
      open={open}
      onOpenChange={(next) => !next && onClose()}
      title={s.askRemove}
      confirm={s.remove}
      danger
      onConfirm={async () => {
        try {
          await chatCalls.remove(chat.id);
          forgetKept(chat.id);
          await navigate({ to: "/chat", search: { p: chat.projectId }, replace: true });
          client.removeQueries({ queryKey: keys.feature(chat.id) });
          void client.invalidateQueries({ queryKey: keys.chats(chat.projectId) });
          toast.done(s.removed);
        } catch (cause) {
          toast.error(undefined, asApiError(cause));
          throw cause;
        }
      }}
    >
      {s.removeText}
    </Confirm>
  );
}

/** Where a member goes on talking. What is typed survives a reload. */
function Say({ chat, mayTalk, onSent }: { chat: Feature; mayTalk: boolean; onSent: () => void }) {
  const drafts = kept.draft(chat.id);
  const text = drafts.use();
  // Another mode holds from the next message on.
  const [mode, setMode] = useState<WorkMode | null>(null);
  const files = useFiles(chat.id);
  const { mutate, busy } = useSending(
    chat.id,
    (wish: { from: string; text: string; mode: WorkMode | null; files: readonly File[] }) =>
      chatCalls.say(wish.from, wish.text, wish.files, wish.mode ?? undefined),
    (from, change) => kept.draft(from).set(change),
  );
  if (!mayTalk) return <p className="border-line border-t px-4 py-2.5 text-faint text-xs">{s.noRight}</p>;
  const go = () =>
    mutate(
      { from: chat.id, text, mode, files: files.files },
      {
        onSuccess: () => {
          setMode(null);
          onSent();
        },
      },
    );
  return (
    <div className="border-line border-t bg-canvas px-3 py-2 @3xl:px-6">
      <Composer
        text={text}
        write={drafts.set}
        placeholder={chat.status === "in_progress" ? s.working : chat.status === "queued" ? s.queued : s.say}
        busy={busy}
        onSend={go}
        files={files}
        autoFocus
        tools={
          <>
            <ModeSelect value={mode ?? chat.mode} onChange={setMode} />
            {mode !== null && mode !== chat.mode && <span className="text-faint text-xs">{s.modeNext}</span>}
          </>
        }
      />
    </div>
  );
}
