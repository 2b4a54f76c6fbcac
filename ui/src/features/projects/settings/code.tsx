import { Link } from "@tanstack/react-router";
import { useMay } from "@/api/queries";
import type { Project } from "@/api/types";
import { Section } from "@/components/page";
import { CopyLine } from "@/features/connect/copy-line";
import { cloneLine } from "@/features/projects/clone";
import { code as s } from "./strings";

/** How a member's own git gets at the project. */
export function Code({ project }: { project: Project }) {
  const mayGit = useMay("git");
  return (
    <Section id="code" title={s.title} lead={mayGit ? s.lead : s.notYours}>
      {mayGit && <Ways project={project} />}
    </Section>
  );
}

function Ways({ project }: { project: Project }) {
  return (
    <div className="flex flex-col gap-3">
      {project.status === "ready" ? (
        <CopyLine label={s.clone} value={cloneLine(location.origin, project)} />
      ) : (
        <p className="text-muted text-sm">{s.notReady}</p>
      )}
      <ul className="flex list-disc flex-col gap-1.5 pl-5 text-muted text-sm">
        <li>
          {s.token}{" "}
          <Link
            to="/settings"
            search={{ token: "git" }}
            hash="tokens"
            className="text-accent-text underline underline-offset-2"
          >
            {s.makeToken}
          </Link>
        </li>
        <li>
          {s.branches} <code className="text-ink text-xs">{s.fetch}</code>
        </li>
        <li>{s.inWork}</li>
        <li>{s.forward(project.defaultBranch)}</li>
      </ul>
    </div>
  );
}
