import { type KeyboardEvent, useState } from "react";
import { fullTime, later, readTime } from "@/lib/time-of-day";
import { t } from "@/strings";
import { Input } from "./input";

/** Minutes of a step by the arrow keys. */
const STEP = 15;

/**
 * A time of the day in 24 hours, as the page writes it everywhere; the browser's own field would show it as its language does. What is
 * typed in another way is put into this one when the field is left.
 */
export function TimeInput({
  value,
  onChange,
  className,
}: {
  value: string;
  onChange: (value: string) => void;
  className?: string;
}) {
  const [text, setText] = useState(value);
  const [known, setKnown] = useState(value);
  if (value !== known) {
    setKnown(value);
    if (fullTime(text) !== value) setText(value);
  }
  const put = (next: string) => {
    setText(next);
    const time = fullTime(next);
    if (time !== undefined) onChange(time);
  };
  const settle = () => {
    const time = readTime(text);
    if (time !== undefined) put(time);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") settle();
    const by = event.key === "ArrowUp" ? STEP : event.key === "ArrowDown" ? -STEP : 0;
    if (by === 0) return;
    event.preventDefault();
    put(later(readTime(text) ?? value, by));
  };
  return (
    <Input
      required
      // The pattern is what is kept; its title is said where it is not met.
      pattern="([01]\d|2[0-3]):[0-5]\d"
      title={t.common.timeOfDay}
      placeholder="07:00"
      maxLength={8}
      autoComplete="off"
      spellCheck={false}
      value={text}
      onChange={(event) => put(event.target.value)}
      onBlur={settle}
      onKeyDown={onKeyDown}
      className={className}
    />
  );
}
