import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { BookOpen, MessagesSquare, Plus } from "lucide-react";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import { useMay, useProjects } from "@/api/queries";
import type { FeatureCard, ProjectListItem } from "@/api/types";
import { StatusIcon } from "@/components/status";
import { chatCalls } from "@/features/chat/queries";
import { openEditor } from "@/features/editor/store";
import { useCurrentProject } from "./current-project";

/** One line of the palette. */
export interface Entry {
  id: string;
  group: string;
  label: string;
  /** Further words by which it is found. */
  words?: string;
  icon: ReactNode;
  end?: ReactNode;
  /** Shown only to who asks for it: what there is of each project would hide everything else. */
  asked?: boolean;
  run: () => void;
}

/** So many letters are typed before chats are asked for, and of so many projects: each is a question of its own. */
const LEAST = 2;
const PROJECTS = 8;
/** Typing settles for so long, and is so long, before the hub is searched. */
const SETTLED_MS = 200;
const SHORTEST = 3;
const FOUND = 8;
/** So many cards of each project. */
const CARDS = 6;

/** What is asked of the server: what is typed once that has settled, and nothing while it is too short. */
function useSettled(text: string): string {
  const [asked, setAsked] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setAsked(text.trim().length < SHORTEST ? "" : text.trim()), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return asked;
}

/** What the hub has of that name, once typing has settled. */
export function useKnowledge(text: string): Entry[] {
  const navigate = useNavigate();
  const asked = useSettled(text);
  const found = useQuery({
    queryKey: ["palette", "knowledge", asked],
    queryFn: ({ signal }) => api.findKnowledge(asked, FOUND, signal),
    enabled: asked !== "",
    staleTime: 30_000,
    placeholderData: keepPreviousData,
  }).data;
  return useMemo(
    () =>
      (asked === "" ? [] : (found ?? [])).map((item) => ({
        id: item.id,
        group: "Knowledge",
        label: item.title,
        icon: <BookOpen />,
        run: () =>
          void navigate({
            to: "/knowledge/$kind/$itemId",
            params: { kind: PLURAL[item.kind], itemId: item.id },
          }),
      })),
    [asked, found, navigate],
  );
}

const PLURAL = { blueprint: "blueprints", entry: "entries", learning: "learnings" } as const;

/** The project that is meant, and some others: each is asked by itself. */
function useSome(): ProjectListItem[] {
  const current = useCurrentProject()?.id;
  const projects = useProjects().data;
  return useMemo(() => {
    const ready = (projects ?? []).filter((project) => project.status === "ready");
    const others = ready.filter(({ id }) => id !== current);
    return [...ready.filter(({ id }) => id === current), ...others].slice(0, PROJECTS);
  }, [projects, current]);
}

/** Cards with that text in title or description, as the server finds them, once typing has settled. */
export function useCards(text: string): Entry[] {
  const navigate = useNavigate();
  const asked = useSettled(text);
  const projects = useSome();
  const found = useQueries({
    queries: projects.map((project) => ({
      queryKey: ["palette", "cards", project.id, asked],
      // What is asked for no more is broken off.
      queryFn: ({ signal }: { signal: AbortSignal }) => api.findFeatures(project.id, asked, CARDS, signal),
      staleTime: 15_000,
      enabled: asked !== "",
    })),
    combine: (results) => results.flatMap((result) => result.data ?? []),
  });
  return useMemo(
    () => (asked === "" ? [] : found.map((card) => cardEntry(card, nameOf(projects, card), navigate))),
    [asked, found, projects, navigate],
  );
}

const nameOf = (projects: readonly ProjectListItem[], card: FeatureCard) =>
  projects.find(({ id }) => id === card.projectId)?.name;

/** A card, as a line of the palette. */
export const cardEntry = (
  card: FeatureCard,
  project: string | undefined,
  navigate: ReturnType<typeof useNavigate>,
): Entry => ({
  id: card.id,
  group: "Cards",
  label: card.title,
  words: `#${card.number} ${card.category}`,
  icon: <StatusIcon status={card.status} />,
  end: (
    <span className="num text-faint text-xs">
      {project} #{card.number}
    </span>
  ),
  run: () =>
    void navigate({ to: "/p/$projectId", params: { projectId: card.projectId }, search: { f: card.id } }),
});

/** The chats of the project that is meant and of some others, once somebody looks for something. */
export function useChats(text: string): Entry[] {
  const asked = text.trim().length >= LEAST;
  const navigate = useNavigate();
  const projects = useSome();
  return useQueries({
    queries: projects.map((project) => ({
      queryKey: [...keys.chats(project.id), "palette"],
      queryFn: async () => (await chatCalls.list(project.id, false, undefined)).items,
      staleTime: 60_000,
      enabled: asked,
    })),
    combine: (results) =>
      results.flatMap((result, at) =>
        (result.data ?? []).map(
          (chat): Entry => ({
            id: chat.id,
            group: "Chats",
            label: chat.title,
            icon: <MessagesSquare />,
            end: <span className="truncate text-faint text-xs">{projects[at]?.name}</span>,
            run: () => void navigate({ to: "/chat/$chatId", params: { chatId: chat.id } }),
          }),
        ),
      ),
  });
}

/** What was looked for, as a new card. */
export function useAsCard(text: string): Entry[] {
  const current = useCurrentProject();
  const title = text.trim();
  if (!useMay("build") || current === undefined || title === "") return [];
  const make: Entry = {
    id: "as-card",
    group: "New",
    label: `Write the card “${title}”`,
    icon: <Plus />,
    end: <span className="truncate text-faint text-xs">{current.name}</span>,
    run: () => openEditor({ mode: "create", projectId: current.id, initial: { title: title.slice(0, 200) } }),
  };
  return [make];
}
