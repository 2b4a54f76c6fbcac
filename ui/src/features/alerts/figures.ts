import type { AlertLevel, Thresholds } from "@/api/types";
import { wholeOf } from "@/components/settings-form";

type Name = keyof Thresholds;
/** The two figures of a threshold as they are written. */
export type Figures = Record<AlertLevel, string>;
export type Draft = Record<Name, Figures>;

export const LEVELS: AlertLevel[] = ["warning", "critical"];

export const kept = (text: string) => wholeOf(text, 9);

export function draftOf(thresholds: Thresholds): Draft {
  const texts = ([name, threshold]: [string, Thresholds[Name]]) => [
    name,
    { warning: String(threshold?.warning ?? ""), critical: String(threshold?.critical ?? "") },
  ];
  return Object.fromEntries(Object.entries(thresholds).map(texts)) as Draft;
}

/** Whether somebody took the figures away, where there are others to follow then. */
export function isLeft(name: Name, figures: Figures): boolean {
  return name === "backupHours" && LEVELS.every((level) => figures[level].trim() === "");
}

/** Whether they can be sent. */
export function isWhole(name: Name, figures: Figures): boolean {
  return isLeft(name, figures) || LEVELS.every((level) => kept(figures[level]) !== null);
}

/** What is sent of them. */
export function changeOf(draft: Partial<Draft>): Partial<Thresholds> {
  const read = ([name, figures]: [string, Figures]) => [
    name,
    isLeft(name as Name, figures)
      ? null
      : { warning: kept(figures.warning), critical: kept(figures.critical) },
  ];
  return Object.fromEntries(Object.entries(draft).map(read));
}
