import { own } from "@/lib/persistent";

/** Something that a reviewer wants different, kept until it is sent. */
export interface Comment {
  id: string;
  path: string;
  /** Which side of the change the line is on. */
  side: "old" | "new";
  line: number;
  /** The line as it stood when the comment was written. */
  quote: string;
  text: string;
}

/** The comment that is being written: a new one, or an old one anew. */
export interface Writing extends Omit<Comment, "id"> {
  /** The comment that is changed; nothing for a new one. */
  id: string | null;
}

const NO_COMMENTS: Comment[] = [];
const NO_WRITING: Writing | null = null;
const NO_MARKS: Record<string, string> = {};

/** What a member has of a feature in this browser. */
export const kept = {
  draft: (featureId: string) => own<string>(`draft.${featureId}`, ""),
  comments: (featureId: string) => own<Comment[]>(`comments.${featureId}`, NO_COMMENTS),
  writing: (featureId: string) => own<Writing | null>(`writing.${featureId}`, NO_WRITING),
  /** For each path that was looked at, what its change was then. */
  viewed: (featureId: string) => own<Record<string, string>>(`viewed.${featureId}`, NO_MARKS),
};

/** Forgets what was kept of a feature, once it is merged or deleted. */
export function forgetKept(featureId: string) {
  kept.draft(featureId).set("");
  kept.comments(featureId).set(NO_COMMENTS);
  kept.writing(featureId).set(null);
  kept.viewed(featureId).set(NO_MARKS);
  // What was typed into the form of the card, which the form knows better.
  own<unknown>(`card.feature.${featureId}`, null).set(null);
}
