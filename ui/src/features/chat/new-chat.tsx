import { useNavigate } from "@tanstack/react-router";
import { MessagesSquare } from "lucide-react";
import type { WorkMode } from "@/api/types";
import { AgentSelect } from "@/features/library/agent-select";
import { ModelSelect } from "@/features/model-select";
import { own } from "@/lib/persistent";
import { Composer } from "./composer";
import { encoded, useFiles } from "./files";
import { ModeSelect } from "./mode-select";
import { chatCalls, useSending } from "./queries";
import { s } from "./strings";

interface Wish {
  text: string;
  agentId: string | null;
  model: string | null;
  mode: WorkMode;
}

const BLANK: Wish = { text: "", agentId: null, model: null, mode: "read" };

const wishOf = (projectId: string) => own<Wish>(`new-chat.${projectId}`, BLANK);

/** Begins a chat in a project. What is typed survives a reload; what was chosen last is chosen again. */
export function NewChat({ projectId }: { projectId: string }) {
  const navigate = useNavigate();
  const store = wishOf(projectId);
  const wish = store.use();
  const set = (part: Partial<Wish>) => store.set((before) => ({ ...before, ...part }));
  const files = useFiles(projectId);
  const { mutate, busy } = useSending(
    projectId,
    async ({ from, text, files, mode, agentId, model }: Wish & { from: string; files: readonly File[] }) =>
      chatCalls.start(from, {
        message: text,
        files: await encoded(files),
        mode,
        ...(agentId === null ? {} : { agentId }),
        ...(model === null ? {} : { model }),
      }),
    (from, change) => wishOf(from).set((now) => ({ ...now, text: change(now.text) })),
  );
  const go = () =>
    mutate(
      { ...wish, from: projectId, files: files.files },
      { onSuccess: (chat) => void navigate({ to: "/chat/$chatId", params: { chatId: chat.id } }) },
    );
  return (
    <div className="flex h-full flex-col justify-center gap-5 px-4 pb-[12vh]">
      <div className="mx-auto flex max-w-md flex-col items-center text-center">
        <div className="mb-3 flex size-11 items-center justify-center rounded-xl border border-line bg-surface text-faint shadow-card">
          <MessagesSquare aria-hidden className="size-5" />
        </div>
        <h2 className="font-semibold text-lg">{s.ask}</h2>
        <p className="mt-1 text-muted text-sm">{s.noneText}</p>
      </div>
      <Composer
        text={wish.text}
        write={(text) => set({ text })}
        placeholder={s.ask}
        busy={busy}
        onSend={go}
        files={files}
        autoFocus
        rows={3}
        tools={
          <>
            <ModeSelect value={wish.mode} onChange={(mode) => set({ mode })} />
            <AgentSelect drafts value={wish.agentId} onChange={(agentId) => set({ agentId })} />
            <ModelSelect
              variant="chip"
              label={s.modelLabel}
              none={s.model}
              value={wish.model}
              onChange={(model) => set({ model })}
            />
          </>
        }
      />
      <p className="mx-auto hidden text-faint text-xs md:block">{s.keys}</p>
    </div>
  );
}
