import { Outlet, useNavigate, useParams, useRouterState } from "@tanstack/react-router";
import { type ComponentType, lazy, Suspense, useEffect, useState } from "react";
import { useMay, useMe, useProjects, useUnread } from "@/api/queries";
import { editor, openEditor } from "@/features/editor/store";
import { setTimeZone } from "@/lib/format";
import { blockHotkeys, useHotkeys } from "@/lib/hotkeys";
import { useMedia } from "@/lib/media";
import { countInTitle } from "@/lib/title";
import { leaving, useAnyUnsaved } from "@/lib/unsaved";
import { t } from "@/strings";
import { useCurrentProject } from "./current-project";
import { identity } from "./identity";
import { fetchViews } from "./lazy";
import { OfflineBanner } from "./offline-banner";
import { overlay } from "./overlay";
import Palette, { loadPaletteList } from "./palette";
import { followPreferences } from "./preferences";
import { Sidebar } from "./sidebar";
import { UnsavedGuard } from "./unsaved-guard";

const loadEditor = () => import("@/features/editor/card-editor");
const Shortcuts = lazy(() => import("./shortcuts"));
const CardEditor = lazy(loadEditor);
const StopAllConfirm = lazy(() => import("@/features/team/stop-all-confirm"));
const AlertBanner = lazy(() => import("@/features/alerts/banner"));
const BottomBar = lazy(() => import("./bottom-bar"));
const IdentityDialog = lazy(() => import("./identity-dialog"));
const loadQuestion = () => import("./unsaved-question");
// Typing goes on where it cannot be fetched; then the browser asks, in its own words.
const UnsavedQuestion = lazy(
  (): Promise<{ default: ComponentType }> => loadQuestion().catch(() => ({ default: Plain })),
);
const IDLE_MS = 1_500;

function Plain() {
  const question = leaving.use();
  useEffect(() => question?.answer(window.confirm(question.text)), [question]);
  return null;
}

/** The page around every view: sidebar, banner, palette, card editor. */
export default function Frame() {
  const navigate = useNavigate();
  const open = overlay.use();
  const editing = editor.use();
  const asked = identity.use() !== null;
  const me = useMe().data;
  const mayBuild = useMay("build");
  const unread = useUnread();
  const narrow = useMedia("(width < 48rem)");
  // Before anything below is rendered that shows a moment.
  if (me !== undefined) setTimeZone(me.timeZone);
  const current = useCurrentProject()?.id;
  const shown = useParams({ strict: false }).projectId;
  // Whoever is on a board writes cards for it, also before the list of projects has come.
  const projectId = useProjects().data === undefined ? shown : current;
  // Over an open card lies what it says and where one answers: the places would take the room of both.
  const cardOpen = useRouterState({
    select: ({ location: { pathname, search } }) =>
      pathname.startsWith("/f/") || (pathname.startsWith("/p/") && "f" in search),
  });
  // Once opened, they stay, so that they close with their motion.
  const [used, setUsed] = useState({ shortcuts: false, stopAll: false, editor: false, question: false });
  if (open === "shortcuts" && !used.shortcuts) setUsed({ ...used, shortcuts: true });
  if (open === "stop-all" && !used.stopAll) setUsed({ ...used, stopAll: true });
  const unsaved = useAnyUnsaved();
  if (unsaved && !used.question) setUsed({ ...used, question: true });
  if (editing !== null && !used.editor) setUsed({ ...used, editor: true });

  useEffect(
    () => blockHotkeys(() => editor.get() !== null || overlay.get() !== null || identity.get() !== null),
    [],
  );
  // What the server answers to a change of this page is what the page has already, and changes nothing.
  const kept = me?.preferences;
  useEffect(() => (kept === undefined ? undefined : followPreferences(kept)), [kept]);
  useEffect(() => countInTitle(unread), [unread]);
  // Fetched while nothing else is: the first press of a key finds them there, and so does whoever goes on while the server is away.
  useEffect(() => {
    const timer = setTimeout(
      () =>
        void loadEditor()
          .then(loadQuestion)
          .catch(() => {})
          .then(loadPaletteList)
          .catch(() => {})
          .then(fetchViews),
      IDLE_MS,
    );
    return () => clearTimeout(timer);
  }, []);

  useHotkeys(
    { "mod+k": () => overlay.set((now) => (now === "palette" ? null : "palette")) },
    { overDialogs: true },
  );
  useHotkeys({
    "?": () => overlay.set("shortcuts"),
    "g i": () => void navigate({ to: "/" }),
    "g n": () => void navigate({ to: "/notifications" }),
    "g a": () => void navigate({ to: "/agents" }),
    "g k": () => void navigate({ to: "/knowledge" }),
    "g u": () => void navigate({ to: "/usage" }),
    "g p": () => void navigate({ to: "/projects" }),
    "g t": () => void navigate({ to: "/team" }),
    "g s": () => void navigate({ to: "/settings" }),
    ...(projectId !== undefined && mayBuild ? { c: () => openEditor({ mode: "create", projectId }) } : {}),
  });

  return (
    <div className="flex h-dvh flex-col">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:absolute focus:top-2 focus:left-2 focus:z-80 focus:rounded-md focus:bg-accent focus:px-3 focus:py-1.5 focus:text-accent-ink"
      >
        {t.nav.skip}
      </a>
      <OfflineBanner />
      <Suspense>
        <AlertBanner />
      </Suspense>
      <div className="flex min-h-0 flex-1">
        <Sidebar className="hidden md:flex" />
        <div className="min-h-0 min-w-0 flex-1">
          <Outlet />
        </div>
      </div>
      {narrow && !cardOpen && (
        <Suspense fallback={<div className="h-14 shrink-0" />}>
          <BottomBar />
        </Suspense>
      )}
      <Palette />
      <UnsavedGuard />
      <Suspense>{used.question && <UnsavedQuestion />}</Suspense>
      <Suspense>
        {used.shortcuts && <Shortcuts />}
        {used.stopAll && (
          <StopAllConfirm
            open={open === "stop-all"}
            onOpenChange={(next) => overlay.set(next ? "stop-all" : null)}
          />
        )}
        {used.editor && <CardEditor />}
      </Suspense>
      {/* Apart from the others: it must not take away the window over which it is asked. */}
      <Suspense>{asked && <IdentityDialog />}</Suspense>
    </div>
  );
}
