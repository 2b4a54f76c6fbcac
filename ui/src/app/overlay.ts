import { createStore } from "@/lib/store";

/** Which of the windows that belong to no view is open. */
export const overlay = createStore<"palette" | "shortcuts" | "stop-all" | null>(null);
