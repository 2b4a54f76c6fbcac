import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import {
  Activity,
  Bell,
  BookOpen,
  Bot,
  Box,
  ChartColumn,
  DatabaseBackup,
  FolderGit2,
  Gauge,
  HardDrive,
  Inbox,
  Keyboard,
  LogOut,
  Moon,
  OctagonX,
  Plus,
  ScrollText,
  Settings,
  SquareKanban,
  Sun,
  TriangleAlert,
  Users,
  Workflow,
} from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { useMay, useProjects } from "@/api/queries";
import type { FeatureCard } from "@/api/types";
import { StatusIcon } from "@/components/status";
import { Dialog } from "@/components/ui/dialog";
import { Keys } from "@/components/ui/kbd";
import { openEditor } from "@/features/editor/store";
import { cn } from "@/lib/cn";
import { rank } from "@/lib/search";
import { chooseTheme, useTheme } from "@/lib/theme";
import { t } from "@/strings";
import { useSignOut } from "./member-menu";
import { overlay } from "./overlay";

interface Entry {
  id: string;
  group: string;
  label: string;
  /** Further words by which it is found. */
  words?: string;
  icon: ReactNode;
  end?: ReactNode;
  run: () => void;
}

const MOST = 40;

/** Reaches everything by its name. */
export default function Palette() {
  const open = overlay.use() === "palette";
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => overlay.set(next ? "palette" : null)}
      title="Search and commands"
      hideTitle
    >
      {open && <PaletteBody />}
    </Dialog>
  );
}

function useEntries(): Entry[] {
  const navigate = useNavigate();
  const client = useQueryClient();
  const projects = useProjects().data;
  const { projectId } = useParams({ strict: false });
  const mayBuild = useMay("build");
  const mayAdd = useMay("manageProjects");
  const runs = useMay("administer");
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
    if (mayBuild) {
      const first = projects?.find((project) => project.id === projectId);
      for (const project of [...(first ? [first] : []), ...(projects ?? []).filter((p) => p !== first)]) {
        entries.push({
          id: `new-${project.id}`,
          group: "Do",
          label: `New card in ${project.name}`,
          words: "create add feature write",
          icon: <Plus />,
          end: project === first ? <Keys keys="c" /> : undefined,
          run: () => openEditor({ mode: "create", projectId: project.id }),
        });
      }
    }
    for (const project of projects ?? []) {
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
        run: () => void navigate({ to: "/p/$projectId/settings", params: { projectId: project.id } }),
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
    const names = new Map(projects?.map((project) => [project.id, project.name]));
    const seen = new Set<string>();
    for (const key of [["board"], ["active"]]) {
      for (const [, list] of client.getQueriesData<FeatureCard[]>({ queryKey: key })) {
        for (const card of list ?? []) {
          if (seen.has(card.id)) continue;
          seen.add(card.id);
          entries.push({
            id: card.id,
            group: "Cards",
            label: card.title,
            words: `#${card.number} ${card.category}`,
            icon: <StatusIcon status={card.status} />,
            end: (
              <span className="num text-faint text-xs">
                {names.get(card.projectId)} #{card.number}
              </span>
            ),
            run: () =>
              void navigate({
                to: "/p/$projectId",
                params: { projectId: card.projectId },
                search: { f: card.id },
              }),
          });
        }
      }
    }
    return entries;
  }, [client, navigate, projects, projectId, mayBuild, mayAdd, runs, theme, leave]);
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

function PaletteBody() {
  const entries = useEntries();
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  // Without a question the cards stay away: the palette shows what can be done.
  const found = useMemo(
    () =>
      text.trim() === ""
        ? entries.filter((entry) => entry.group !== "Cards").slice(0, MOST)
        : rank(text, entries, (entry) => `${entry.label} ${entry.words ?? ""}`).slice(0, MOST),
    [entries, text],
  );
  const groups = useMemo(() => Map.groupBy(found, (entry) => entry.group), [found]);
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
      setActive((at + step + flat.length) % flat.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(flat[at]);
    }
  };
  let index = -1;
  return (
    <div className="flex flex-col">
      <input
        // biome-ignore lint/a11y/noAutofocus: the palette exists to be typed into
        autoFocus
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={flat[at] ? `palette-${at}` : undefined}
        aria-label={t.nav.search}
        placeholder={t.nav.search}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
        className="h-13 border-line border-b bg-transparent px-5 pr-12 text-lg outline-none placeholder:text-faint"
      />
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
                  onPointerMove={() => setActive(mine)}
                  onClick={() => choose(entry)}
                  onKeyDown={onKeyDown}
                  className={cn(
                    "flex h-9 cursor-default items-center gap-3 rounded-md px-3 text-sm [&_svg]:size-4 [&_svg]:shrink-0",
                    mine === at && "bg-hover",
                  )}
                >
                  <span className="text-faint">{entry.icon}</span>
                  <span className="min-w-0 flex-1 truncate">{entry.label}</span>
                  {entry.end}
                </div>
              );
            })}
          </div>
        ))}
      </div>
    </div>
  );
}
