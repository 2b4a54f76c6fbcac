import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import {
  Activity,
  Bell,
  BookOpen,
  Bot,
  Box,
  ChartColumn,
  DatabaseBackup,
  FolderDown,
  FolderGit2,
  Gauge,
  HardDrive,
  Inbox,
  Keyboard,
  Library,
  LogOut,
  MessagesSquare,
  Moon,
  OctagonX,
  Plus,
  ScrollText,
  Settings,
  SquareKanban,
  Sun,
  Sunrise,
  TriangleAlert,
  Users,
  Workflow,
} from "lucide-react";
import { type KeyboardEvent, type ReactNode, type RefObject, useEffect, useMemo, useRef } from "react";
import { useMay, useMe, useProjects } from "@/api/queries";
import type { FeatureCard } from "@/api/types";
import { Keys } from "@/components/ui/kbd";
import { openEditor } from "@/features/editor/store";
import { cn } from "@/lib/cn";
import { rank } from "@/lib/search";
import { chooseTheme, useTheme } from "@/lib/theme";
import { t } from "@/strings";
import { useCurrentProject } from "./current-project";
import { useSignOut } from "./member-menu";
import { overlay } from "./overlay";
import { cardEntry, type Entry, useAsCard, useCards, useChats, useKnowledge } from "./palette-found";
import { ELSEWHERE, OWN, PROJECT, type SettingsPlace, shownTo, TEAM, TEAMS } from "./sections";

const MOST = 40;
/** Of so many projects all have their sections in the palette; of more, the one that is open. */
const FEW = 8;
/** What is found by what is typed, and stays away until then. */
const ONLY_ASKED = ["Cards", "Chats", "Settings"];

function useEntries(): Entry[] {
  const navigate = useNavigate();
  const client = useQueryClient();
  const projects = useProjects().data;
  const current = useCurrentProject();
  const mayBuild = useMay("build");
  const mayRun = useMay("run");
  const mayAdd = useMay("manageProjects");
  const runs = useMay("administer");
  const rights = useMe().data?.rights;
  const theme = useTheme();
  const leave = useSignOut();
  return useMemo(() => {
    const go = (
      id: string,
      label: string,
      icon: ReactNode,
      to: "/" | "/notifications" | "/agents" | "/projects" | "/knowledge" | "/usage" | "/team" | "/settings",
      hint: string,
    ): Entry => ({
      id,
      group: "Go to",
      label,
      icon,
      end: <HintKeys keys={hint} />,
      run: () => void navigate({ to }),
    });
    const entries: Entry[] = [];
    const all = [...(current ? [current] : []), ...(projects ?? []).filter(({ id }) => id !== current?.id)];
    if (mayBuild) {
      for (const project of all) {
        const first = project.id === current?.id;
        entries.push({
          id: `new-${project.id}`,
          group: "Do",
          label: `New card in ${project.name}`,
          words: "create add feature write",
          icon: <Plus />,
          ...(first ? { end: <Keys keys="c" /> } : { asked: true }),
          run: () => openEditor({ mode: "create", projectId: project.id }),
        });
      }
    }
    if (current) {
      entries.push({
        id: "graph",
        group: "Boards",
        label: `Graph of ${current.name}`,
        words: "dependencies depends on chain order view",
        icon: <Workflow />,
        asked: true,
        run: () =>
          void navigate({
            to: "/p/$projectId",
            params: { projectId: current.id },
            search: { view: "graph" },
          }),
      });
      entries.push({
        id: "clone",
        group: "Do",
        label: `Clone ${current.name}`,
        words: "clone this project git get the code repository fetch push",
        icon: <FolderDown />,
        asked: true,
        run: () =>
          void navigate({ to: "/p/$projectId/settings", params: { projectId: current.id }, hash: "code" }),
      });
    }
    entries.push(
      go("inbox", t.nav.inbox, <Inbox />, "/", "g i"),
      go("notifications", t.nav.notifications, <Bell />, "/notifications", "g n"),
      go("agents", t.nav.agents, <Bot />, "/agents", "g a"),
      go("projects", t.nav.projects, <FolderGit2 />, "/projects", "g p"),
      go("knowledge", t.nav.knowledge, <BookOpen />, "/knowledge", "g k"),
      go("usage", t.nav.usage, <ChartColumn />, "/usage", "g u"),
      go("team", t.nav.team, <Users />, "/team", "g t"),
      go("settings", t.nav.settings, <Settings />, "/settings", "g s"),
    );
    entries.push({
      id: "chat",
      group: "Go to",
      label: t.nav.chat,
      words: "talk ask conversation",
      icon: <MessagesSquare />,
      run: () => void navigate({ to: "/chat" }),
    });
    entries.push({
      id: "library",
      group: "Go to",
      label: t.nav.library,
      words: "agents prompts tools",
      icon: <Library />,
      run: () => void navigate({ to: "/agents-library" }),
    });
    if (mayRun) {
      entries.push({
        id: "reports",
        group: "Go to",
        label: t.nav.reports,
        words: "night auto mode yesterday",
        icon: <Sunrise />,
        run: () => void navigate({ to: "/reports" }),
      });
    }
    entries.push({
      id: "systems",
      group: "Go to",
      label: t.nav.systems,
      words: "workflows agents executions",
      icon: <Workflow />,
      run: () => void navigate({ to: "/systems" }),
    });
    entries.push({
      id: "rate-limits",
      group: "Go to",
      label: t.nav.rateLimits,
      words: "governor provider 429 tokens minute quota wait",
      icon: <Gauge />,
      run: () => void navigate({ to: "/operation/limits" }),
    });
    entries.push({
      id: "sandbox",
      group: "Go to",
      label: t.nav.sandbox,
      words: "isolation bubblewrap host security doctor operation",
      icon: <Box />,
      run: () => void navigate({ to: "/operation/sandbox" }),
    });
    if (runs) {
      entries.push({
        id: "backups",
        group: "Go to",
        label: t.nav.backups,
        words: "restore copy disk operation",
        icon: <DatabaseBackup />,
        run: () => void navigate({ to: "/operation/backups" }),
      });
      entries.push({
        id: "alerts",
        group: "Go to",
        label: t.nav.alerts,
        words: "warning critical memory disk thresholds silence operation",
        icon: <TriangleAlert />,
        run: () => void navigate({ to: "/operation/alerts" }),
      });
      entries.push({
        id: "disk",
        group: "Go to",
        label: t.nav.disk,
        words: "space clean tidy retention worktrees caches orphans operation",
        icon: <HardDrive />,
        run: () => void navigate({ to: "/operation/disk" }),
      });
      entries.push({
        id: "audit",
        group: "Go to",
        label: t.nav.audit,
        words: "who did what history log security",
        icon: <ScrollText />,
        run: () => void navigate({ to: "/audit" }),
      });
      entries.push({
        id: "operation",
        group: "Go to",
        label: t.nav.operation,
        words: "memory disk load servers members resources monitoring health",
        icon: <Activity />,
        run: () => void navigate({ to: "/operation" }),
      });
    }
    if (runs) {
      entries.push({
        id: "stop-all",
        group: "Do",
        label: t.nav.stopAll,
        words: "kill switch emergency halt pause agents auto mode runs",
        icon: <OctagonX />,
        run: () => overlay.set("stop-all"),
      });
    }
    if (mayAdd) {
      entries.push({
        id: "add-project",
        group: "Do",
        label: t.nav.addProject,
        words: "new create clone repository",
        icon: <Plus />,
        run: () => void navigate({ to: "/projects", search: { add: true } }),
      });
    }
    entries.push(
      {
        id: "theme",
        group: "Do",
        label: theme === "dark" ? "Use the light theme" : "Use the dark theme",
        words: "appearance mode colour",
        icon: theme === "dark" ? <Sun /> : <Moon />,
        run: () => chooseTheme(theme === "dark" ? "light" : "dark"),
      },
      {
        id: "shortcuts",
        group: "Do",
        label: t.nav.help,
        words: "keys help",
        icon: <Keyboard />,
        end: <Keys keys="?" />,
        run: () => overlay.set("shortcuts"),
      },
      {
        id: "sign-out",
        group: "Do",
        label: t.nav.signOut,
        words: "log out leave",
        icon: <LogOut />,
        run: () => void leave(),
      },
    );
    const section = (
      page: string,
      of: string,
      { id, label, words }: SettingsPlace,
      where: { to: string; params?: { projectId: string } },
    ): Entry => ({
      id: `${page}#${id}`,
      group: "Settings",
      label: of === "" ? label : `${label} of ${of}`,
      words: `settings ${words}`,
      icon: <Settings />,
      run: () => void navigate({ ...where, hash: id } as Parameters<typeof navigate>[0]),
    });
    const has = rights ?? [];
    for (const place of shownTo([...OWN, ...TEAMS], has))
      entries.push(section("settings", "", place, { to: "/settings" }));
    for (const place of shownTo(TEAM, has)) entries.push(section("team", "", place, { to: "/team" }));
    for (const place of shownTo(ELSEWHERE, has)) entries.push(section(place.to, "", place, { to: place.to }));
    for (const project of projects ?? []) {
      if ((projects?.length ?? 0) > FEW && project.id !== current?.id) continue;
      const where = { to: "/p/$projectId/settings", params: { projectId: project.id } };
      for (const place of shownTo(PROJECT, has))
        entries.push(section(project.id, project.name, place, where));
    }
    for (const project of all) {
      entries.push({
        id: project.id,
        group: "Boards",
        label: project.name,
        words: "project board",
        icon: <SquareKanban />,
        run: () => void navigate({ to: "/p/$projectId", params: { projectId: project.id } }),
      });
      entries.push({
        id: `settings-${project.id}`,
        group: "Boards",
        label: `Settings of ${project.name}`,
        words: "project checks verify model instructions",
        icon: <Settings />,
        ...(project.id === current?.id ? {} : { asked: true }),
        run: () => void navigate({ to: "/p/$projectId/settings", params: { projectId: project.id } }),
      });
    }
    const names = new Map(projects?.map((project) => [project.id, project.name]));
    const seen = new Set<string>();
    for (const key of [["board"], ["active"]]) {
      for (const [, list] of client.getQueriesData<FeatureCard[]>({ queryKey: key })) {
        for (const card of list ?? []) {
          if (seen.has(card.id)) continue;
          seen.add(card.id);
          entries.push(cardEntry(card, names.get(card.projectId), navigate));
        }
      }
    }
    return entries;
  }, [client, navigate, projects, current, mayBuild, mayRun, mayAdd, runs, rights, theme, leave]);
}

function HintKeys({ keys: hint }: { keys: string }) {
  return (
    <span className="flex items-center gap-1">
      {hint.split(" ").map((key) => (
        <Keys key={key} keys={key} />
      ))}
    </span>
  );
}

/** The best of what is called that, and the cards that say it; none of them twice. */
function withFound(named: Entry[], cards: Entry[]): Entry[] {
  const best = named.slice(0, MOST);
  const there = new Set(best.map((entry) => entry.id));
  return [...best, ...cards.filter((card) => !there.has(card.id))];
}

/** What answers to what is typed, in its groups. */
export default function PaletteList({
  text,
  active,
  onActive,
  onCount,
  keys,
  entered,
}: {
  text: string;
  /** The one that is chosen, counted through all groups. */
  active: number;
  onActive: (at: number) => void;
  onCount: (count: number) => void;
  /** What is to be done with the keys that are pressed in the field. */
  keys: RefObject<((event: KeyboardEvent) => void) | null>;
  /** Whether Enter was pressed before there was anything to choose from. */
  entered: RefObject<boolean>;
}) {
  const places = useEntries();
  const chats = useChats(text);
  const asCard = useAsCard(text);
  const entries = useMemo(() => [...places, ...chats], [places, chats]);
  const list = useRef<HTMLDivElement>(null);
  const knowledge = useKnowledge(text);
  const cards = useCards(text);
  // Without a question the cards stay away: the palette shows what can be done.
  const found = useMemo(
    () =>
      text.trim() === ""
        ? entries.filter((entry) => !entry.asked && !ONLY_ASKED.includes(entry.group)).slice(0, MOST)
        : [
            ...withFound(
              rank(text, entries, (entry) => `${entry.label} ${entry.words ?? ""}`),
              cards,
            ),
            // The hub has found them by more than their names.
            ...knowledge,
          ],
    [entries, text, knowledge, cards],
  );
  const groups = useMemo(() => Map.groupBy([...found, ...asCard], (entry) => entry.group), [found, asCard]);
  const flat = useMemo(() => [...groups.values()].flat(), [groups]);
  const at = Math.min(active, flat.length - 1);

  useEffect(() => {
    list.current?.querySelector(`[data-at="${at}"]`)?.scrollIntoView({ block: "nearest" });
  }, [at]);

  const choose = (entry: Entry | undefined) => {
    if (entry === undefined) return;
    overlay.set(null);
    entry.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && flat.length > 0) {
      event.preventDefault();
      onActive((at + step + flat.length) % flat.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(flat[at]);
    }
  };
  useEffect(() => {
    keys.current = onKeyDown;
    onCount(flat.length);
    if (entered.current) {
      entered.current = false;
      choose(flat[at]);
    }
  });
  let index = -1;
  return (
    <div
      ref={list}
      id="palette-list"
      role="listbox"
      aria-label="Results"
      className="h-[min(24rem,60vh)] overflow-y-auto p-2 scroll-thin"
    >
      {flat.length === 0 && (
        <p className="px-3 py-8 text-center text-muted text-sm">Nothing is called that.</p>
      )}
      {[...groups].map(([group, members]) => (
        // biome-ignore lint/a11y/useSemanticElements: a group of options in a listbox has no element of its own
        <div key={group} role="group" aria-label={group}>
          <div aria-hidden className="px-3 pt-2 pb-1 font-medium text-faint text-xs">
            {group}
          </div>
          {members.map((entry) => {
            index += 1;
            const mine = index;
            return (
              <div
                key={entry.id}
                id={`palette-${mine}`}
                data-at={mine}
                role="option"
                tabIndex={-1}
                aria-selected={mine === at}
                onPointerMove={() => onActive(mine)}
                onClick={() => choose(entry)}
                onKeyDown={onKeyDown}
                className={cn(
                  "flex h-9 cursor-default items-center gap-3 rounded-md px-3 text-sm [&_svg]:size-4 [&_svg]:shrink-0",
                  mine === at && "bg-hover",
                )}
              >
                <span className="text-faint">{entry.icon}</span>
                <span dir="auto" className="min-w-0 flex-1 truncate">
                  {entry.label}
                </span>
                {entry.end}
              </div>
            );
          })}
        </div>
      ))}
    </div>
  );
}
