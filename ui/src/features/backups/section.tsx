import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { queries } from "@/api/queries";
import { Section } from "@/components/page";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Time } from "@/lib/time";
import { standing } from "./state";
import { words } from "./strings";

/** On the team's page: whether there is a backup, how old it is, and where to read more. */
export function BackupsSection() {
  const view = useQuery(queries.backups()).data;
  const how = view && standing(view);
  return (
    <Section id="backups" title={words.title} lead={words.short}>
      <div className="flex flex-wrap items-center gap-3">
        {how && (
          <Badge tone={how === "good" ? "green" : how === "bad" || how === "old" ? "red" : "amber"}>
            {words[how]}
          </Badge>
        )}
        {view?.lastGoodAt && (
          <span className="text-muted text-sm">
            <Time at={view.lastGoodAt} />
          </span>
        )}
        <Button render={<Link to="/operation/backups" />}>{words.open}</Button>
      </div>
    </Section>
  );
}
