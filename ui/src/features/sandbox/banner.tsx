import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ShieldAlert } from "lucide-react";
import { queries } from "@/api/queries";
import { firstGap, standing } from "./state";
import { words } from "./strings";

/** Says on the board that agents cannot start, or start without being kept apart. */
export default function SandboxBanner() {
  const report = useQuery(queries.sandbox()).data;
  const how = report && standing(report);
  return (
    <div role="status" aria-live="polite">
      {report && how && how !== "apart" && (
        <section
          aria-label={words.title}
          className="mx-3 mb-2 flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg bg-red-soft px-3 py-2 text-sm sm:mx-4"
        >
          <ShieldAlert aria-hidden className="size-4 shrink-0 text-red" />
          <p className="min-w-48 flex-1 break-words">
            <span className="font-medium">{words.banner[how]}</span> {how === "broken" && firstGap(report)}{" "}
            {words.banner.ask}
          </p>
          <Link to="/operation/sandbox" className="font-medium underline underline-offset-2">
            {words.open}
          </Link>
        </section>
      )}
    </div>
  );
}
