import { useQuery } from "@tanstack/react-query";
import { Section } from "@/components/page";
import { mcpQueries } from "./queries";
import { Servers } from "./servers";
import { s } from "./strings";

/** The MCP servers of the whole team, in its settings: admins change them, everybody sees them. */
export default function TeamServers({ mayManage }: { mayManage: boolean }) {
  const servers = useQuery(mcpQueries.team());
  return (
    <Section title={s.team.title} id="team-mcp-servers" lead={s.team.lead}>
      <div className="flex flex-col items-start gap-3">
        <Servers
          projectId={null}
          servers={servers}
          none={mayManage ? s.none : s.team.none}
          mayManage={mayManage}
        />
      </div>
    </Section>
  );
}
