import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMe } from "@/api/queries";
import type { AtClose, AutoMode, Day, SetAutoMode } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Radios } from "@/components/ui/radios";
import { Select } from "@/components/ui/select";
import { Switch } from "@/components/ui/switch";
import { TimeInput } from "@/components/ui/time-input";
import { toast } from "@/components/ui/toast";
import { Unsaved } from "@/components/unsaved";
import { cn } from "@/lib/cn";
import { timeZones } from "@/lib/format";
import { Failures } from "./failures";
import { ForecastBox } from "./forecast";
import { dot, moment, reason } from "./moment";
import { auto } from "./strings";

const DAYS: readonly Day[] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const WEEKDAYS = DAYS.slice(0, 5);
const CLOSINGS: readonly AtClose[] = ["finishTurn", "finishFeature"];

/** How the member's auto mode works in a project, with why nothing starts at the moment. */
export default function AutoModeDialog({ order, onClose }: { order: AutoMode; onClose: () => void }) {
  const client = useQueryClient();
  const me = useMe().data;
  const [atOnce, setAtOnce] = useState(Math.min(order.maxConcurrent, order.limit));
  const [hours, setHours] = useState(order.window !== null);
  const [days, setDays] = useState<readonly Day[]>(order.window?.days ?? WEEKDAYS);
  const [from, setFrom] = useState(order.window?.from ?? "22:00");
  const [until, setUntil] = useState(order.window?.until ?? "07:00");
  const device = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const [zone, setZone] = useState(order.window?.timeZone ?? me?.timeZone ?? device);
  const zones = useId();
  const [atClose, setAtClose] = useState(order.atClose);
  const set = useMutation({
    mutationFn: (change: SetAutoMode) => api.setAutoMode(order.projectId, change),
    onSuccess: (fresh, { action }) => {
      client.setQueryData(keys.autoMode(order.projectId), fresh);
      void client.invalidateQueries({ queryKey: keys.queue(order.projectId) });
      toast.done(action === "stop" ? auto.stopped : order.state === "on" ? auto.saved : auto.started);
      onClose();
    },
  });
  const error = set.error && asApiError(set.error);
  const window = hours
    ? { days: DAYS.filter((day) => days.includes(day)), from, until, timeZone: zone }
    : null;
  const chosen = JSON.stringify([atOnce, window, atClose]);
  const [before] = useState(chosen);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    set.mutate({ action: "start", maxConcurrent: atOnce, window, atClose });
  };
  const form = "auto-mode";
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={auto.title}
      description={auto.lead}
      footer={
        <>
          {order.state !== "off" && (
            <Button
              className="mr-auto"
              disabled={set.isPending}
              onClick={() => set.mutate({ action: "stop" })}
            >
              {auto.stop}
            </Button>
          )}
          <Button type="submit" form={form} variant="primary" busy={set.isPending}>
            {order.state === "on" ? auto.save : order.state === "paused" ? auto.resume : auto.start}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-5 px-5 pt-1 pb-5">
        <Unsaved dirty={chosen !== before && !set.isSuccess} />
        <Standing order={order} onClose={onClose} />
        <Field label={auto.atOnce} help={auto.atOnceHelp(order.limit)} error={error?.field("maxConcurrent")}>
          <Select
            value={String(atOnce)}
            onChange={(value) => setAtOnce(Number(value))}
            options={Array.from({ length: order.limit }, (_, n) => ({
              value: String(n + 1),
              label: String(n + 1),
            }))}
          />
        </Field>
        <Switch checked={hours} onChange={setHours} label={auto.window} help={auto.windowHelp} />
        {hours && (
          <>
            <fieldset>
              <legend className="mb-1.5 font-medium text-sm">{auto.days}</legend>
              <div className="grid grid-cols-7 gap-1 sm:flex sm:gap-1.5">
                {DAYS.map((day) => (
                  <button
                    key={day}
                    type="button"
                    aria-pressed={days.includes(day)}
                    onClick={() =>
                      setDays(days.includes(day) ? days.filter((other) => other !== day) : [...days, day])
                    }
                    className={cn(
                      "h-8 min-w-0 rounded-md border text-sm pointer-coarse:h-9 sm:min-w-12 sm:px-2",
                      days.includes(day)
                        ? "border-accent/50 bg-accent-soft text-accent-text"
                        : "border-line text-muted hover:bg-hover",
                    )}
                  >
                    {auto.day[day]}
                  </button>
                ))}
              </div>
            </fieldset>
            <div className="grid gap-4 sm:grid-cols-[1fr_1fr_2fr]">
              <Field label={auto.from}>
                <TimeInput value={from} onChange={setFrom} />
              </Field>
              <Field label={auto.until}>
                <TimeInput value={until} onChange={setUntil} />
              </Field>
              <Field label={auto.zone}>
                <Input
                  required
                  list={zones}
                  value={zone}
                  spellCheck={false}
                  autoComplete="off"
                  onChange={(event) => setZone(event.target.value.trim())}
                />
                <datalist id={zones}>
                  {timeZones().map((name) => (
                    <option key={name} value={name} />
                  ))}
                </datalist>
              </Field>
            </div>
            {error?.field("window") ? (
              <p role="alert" className="-mt-3 text-red text-sm">
                {error.field("window")}
              </p>
            ) : (
              <p className="-mt-3 text-faint text-xs">{auto.overMidnight}</p>
            )}
            <Radios
              label={auto.atClose}
              showLabel
              value={atClose}
              onChange={setAtClose}
              options={CLOSINGS.map((value) => ({ value, ...auto.closing[value] }))}
            />
          </>
        )}
        <ForecastBox projectId={order.projectId} ask={{ maxConcurrent: atOnce, window, atClose }} />
        <FormError error={error && error.fields.length === 0 ? error : null} />
      </form>
    </Dialog>
  );
}

/** How it stands. */
function Standing({ order, onClose }: { order: AutoMode; onClose: () => void }) {
  const { state, pause, waiting, changesAt } = order;
  return (
    <div
      className={cn(
        "flex flex-col gap-1 text-sm",
        state === "paused" && "rounded-lg bg-amber-soft px-3 py-2",
      )}
    >
      <p>
        <span aria-hidden className={cn("mr-2 inline-block size-2 rounded-full", dot[state])} />
        <span className="font-medium">{auto[state]}</span>
        {state !== "off" && (
          <span className="text-muted">
            {" "}
            · {auto.running(order.running)} · {auto.backlog(order.backlog)}
          </span>
        )}
      </p>
      {state === "on" && waiting && <p className="text-muted">{reason(waiting)}</p>}
      {state === "on" && changesAt && waiting?.code !== "window" && (
        <p className="text-muted">{auto.nextChange(order.open, moment(changesAt))}</p>
      )}
      {pause && (
        <p>
          {pause.message} {pause.hint}
        </p>
      )}
      {order.stopped > 0 && <p>{auto.goesOn(order.stopped)}</p>}
      <Failures order={order} reasons onFollow={onClose} />
    </div>
  );
}
