import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Telescope } from "lucide-react";
import { useEffect, useState } from "react";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import type { AskForecast, Forecast } from "@/api/types";
import { cn } from "@/lib/cn";
import { money } from "@/lib/format";
import { moment } from "./moment";
import { auto } from "./strings";

const words = auto.forecast;
/** How long the settings stay as they are before they are asked about, in milliseconds. */
const PAUSE = 250;

/** What the member's auto mode would probably do with these settings; asked anew as they change. */
export function ForecastBox({ projectId, ask }: { projectId: string; ask: AskForecast }) {
  const asked = JSON.stringify(ask);
  const [settled, setSettled] = useState(asked);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(asked), PAUSE);
    return () => clearTimeout(timer);
  }, [asked]);
  const forecast = useQuery({
    queryKey: [...keys.forecast(projectId), settled],
    queryFn: ({ signal }) => api.forecast(projectId, JSON.parse(settled) as AskForecast, signal),
    placeholderData: keepPreviousData,
    staleTime: 30_000,
    // What is not a window yet is told when it is sent.
    retry: false,
  });
  if (forecast.isError) return null;
  return (
    <section
      aria-labelledby="auto-mode-forecast"
      aria-busy={forecast.isFetching}
      className="rounded-lg border border-line px-3 py-2.5 text-sm"
    >
      <h3 id="auto-mode-forecast" className="flex items-center gap-2 font-medium">
        <Telescope aria-hidden className="size-4 text-faint" /> {words.title}
      </h3>
      <div
        aria-live="polite"
        className={cn(
          "mt-1 transition-opacity",
          (forecast.isPlaceholderData || asked !== settled) && "opacity-60",
        )}
      >
        {forecast.data === undefined ? (
          <p className="text-muted">{words.pending}</p>
        ) : (
          <Expected forecast={forecast.data} />
        )}
      </div>
    </section>
  );
}

function Expected({ forecast }: { forecast: Forecast }) {
  const { estimate, cards, hindered } = forecast;
  if (cards === 0) return <p className="text-muted">{words.noCards}</p>;
  const lacks = hindered > 0 && <p className="num mt-0.5 text-amber">{words.hindered(hindered)}</p>;
  if (estimate === null)
    return (
      <>
        <p className="text-muted">{words.none(cards)}</p>
        {lacks}
      </>
    );
  const { done, costMicros, lastDone, failed } = estimate;
  return (
    <>
      <p className="num">
        {words.done(done.median, cards, moment(forecast.by))}
        <span className="text-muted">{words.range(String(done.low), String(done.high))}</span>
      </p>
      <ul className="num mt-0.5 flex flex-wrap gap-x-4 text-muted">
        <li>
          {words.cost(money(costMicros.median))}
          {words.range(money(costMicros.low), money(costMicros.high))}
        </li>
        {lastDone && (
          <li>
            {words.last(moment(lastDone.median))}
            {words.range(moment(lastDone.low), moment(lastDone.high))}
          </li>
        )}
        {failed.median > 0 && <li>{words.failed(failed.median)}</li>}
      </ul>
      {lacks}
      <p className="mt-1 text-faint text-xs">{words.basis(forecast.runs, forecast.circle === "project")}</p>
    </>
  );
}
