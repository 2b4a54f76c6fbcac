const format = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

/** A moment within the next days, as the member's device shows it. */
export const moment = (at: string) => format.format(new Date(at));
