import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { queries } from "@/api/queries";
import { Section } from "@/components/page";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { standing } from "./state";
import { words } from "./strings";

/** On the team's page: whether agents are kept apart, and where to read more. */
export function SandboxSection() {
  const report = useQuery(queries.sandbox()).data;
  const how = report && standing(report);
  return (
    <Section id="sandbox" title={words.title} lead={words.short}>
      <div className="flex flex-wrap items-center gap-3">
        {how && <Badge tone={how === "apart" ? "green" : "red"}>{words.state[how]}</Badge>}
        <Button render={<Link to="/operation/sandbox" />}>{words.open}</Button>
      </div>
    </Section>
  );
}
