import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { FilePlus2, FlaskConical, GitBranch } from "lucide-react";
import { type FormEvent, type ReactNode, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { useProjects } from "@/api/queries";
import type { ProjectSource } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { cn } from "@/lib/cn";
import { putProject } from "@/live/apply";
import { nameFromUrl } from "./source";

type Kind = ProjectSource["kind"];

const kinds: { kind: Kind; icon: ReactNode; title: string; help: string }[] = [
  { kind: "clone", icon: <GitBranch />, title: "A repository", help: "By git URL, or a path on the server" },
  { kind: "empty", icon: <FilePlus2 />, title: "From nothing", help: "A new repository with a README" },
  { kind: "sample", icon: <FlaskConical />, title: "The sample", help: "Try it; needs no key" },
];

/** Makes a project, then goes to its board, where the repository is seen to be prepared. */
export function useCreateProject() {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: (body: { name: string; source: ProjectSource }) => api.createProject(body),
    onSuccess: (project) => {
      putProject(client, project);
      void navigate({ to: "/p/$projectId", params: { projectId: project.id } });
    },
  });
}

/** A name that no project has yet. */
export function freeName(wanted: string, taken: string[]): string {
  const names = new Set(taken.map((name) => name.toLowerCase()));
  let name = wanted;
  for (let n = 2; names.has(name.toLowerCase()); n += 1) name = `${wanted} ${n}`;
  return name;
}

export function AddProject({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Add a project"
      description="A project is a git repository with a board. Guildhall keeps a copy of its own."
    >
      <AddProjectForm onClose={() => onOpenChange(false)} />
    </Dialog>
  );
}

function AddProjectForm({ onClose }: { onClose: () => void }) {
  const projects = useProjects().data ?? [];
  const create = useCreateProject();
  const [kind, setKind] = useState<Kind>("clone");
  const [url, setUrl] = useState("");
  const [typed, setTyped] = useState<string | null>(null);
  const suggested =
    kind === "clone"
      ? nameFromUrl(url)
      : kind === "sample"
        ? freeName(
            "Sample",
            projects.map((project) => project.name),
          )
        : "";
  const name = typed ?? suggested;
  const error = create.error === null ? null : asApiError(create.error);
  const atField = error?.fields[0]?.field;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const source: ProjectSource = kind === "clone" ? { kind, url: url.trim() } : { kind };
    // The way to the new board closes the window.
    create.mutate({ name: name.trim(), source });
  };

  return (
    <form onSubmit={submit} className="flex flex-col gap-4 px-5 pt-2 pb-5">
      <fieldset>
        <legend className="mb-1.5 font-medium text-sm">Where it comes from</legend>
        <div className="grid gap-2 sm:grid-cols-3">
          {kinds.map((entry) => (
            <label
              key={entry.kind}
              className={cn(
                "flex cursor-default gap-2.5 rounded-lg border p-3 text-sm transition-colors has-focus-visible:outline-2 has-focus-visible:outline-ring sm:flex-col sm:gap-2 [&_svg]:size-4.5",
                kind === entry.kind
                  ? "border-accent bg-accent-soft [&_svg]:text-accent-text"
                  : "border-line-strong hover:bg-hover [&_svg]:text-faint",
              )}
            >
              <input
                type="radio"
                name="kind"
                value={entry.kind}
                checked={kind === entry.kind}
                onChange={() => {
                  setKind(entry.kind);
                  create.reset();
                }}
                className="sr-only"
              />
              {entry.icon}
              <span>
                <span className="block font-medium">{entry.title}</span>
                <span className="block text-muted text-xs">{entry.help}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      {kind === "clone" && (
        <Field
          label="Repository"
          help="A password or token in the address is kept sealed until the copy is made, and shown to nobody. Paths on the server work below the folders that its operator allows."
          error={atField === "source" || atField === "url" ? error?.fields[0]?.message : undefined}
        >
          <Input
            value={url}
            onChange={(event) => setUrl(event.target.value)}
            placeholder="https://example.com/team/project.git"
            required
            spellCheck={false}
            autoCapitalize="off"
            autoFocus
          />
        </Field>
      )}
      <Field label="Name" error={error?.field("name")}>
        <Input
          value={name}
          onChange={(event) => setTyped(event.target.value)}
          required
          maxLength={100}
          placeholder="What your team calls it"
        />
      </Field>
      {error && !["name", "source", "url"].includes(atField ?? "") && <FormError error={error} />}
      <div className="flex justify-end gap-2 pt-1">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" busy={create.isPending}>
          Add project
        </Button>
      </div>
    </form>
  );
}
