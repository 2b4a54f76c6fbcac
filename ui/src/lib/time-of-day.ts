const two = (value: number) => String(value).padStart(2, "0");
const DAY = 24 * 60;

/** A time of the day as it is kept, such as `07:05`; nothing if the text is none. */
export function fullTime(text: string): string | undefined {
  const found = /^(\d{1,2}):(\d{2})$/.exec(text.trim());
  return found ? checked(Number(found[1]), Number(found[2])) : undefined;
}

/** The same from what people type: `7`, `730`, `7.30`, `7:30 pm`. */
export function readTime(text: string): string | undefined {
  const found = /^(\d{1,2})(?:[:.h\s]?(\d{2}))?\s*([ap])?\.?(?:m\.?)?$/i.exec(text.trim());
  if (found === null) return undefined;
  const [, hours, minutes, half] = found;
  const hour = Number(hours);
  if (half === undefined) return checked(hour, Number(minutes ?? 0));
  if (hour < 1 || hour > 12) return undefined;
  return checked((hour % 12) + (half.toLowerCase() === "p" ? 12 : 0), Number(minutes ?? 0));
}

/** So many minutes later; the day begins anew after its end. */
export function later(time: string, by: number): string {
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  const at = (hours * 60 + minutes + by + DAY) % DAY;
  return `${two(Math.floor(at / 60))}:${two(at % 60)}`;
}

const checked = (hours: number, minutes: number) =>
  hours < 24 && minutes < 60 ? `${two(hours)}:${two(minutes)}` : undefined;
