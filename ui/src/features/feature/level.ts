/** One below the title of a feature, which is `h1` on a page of its own and `h2` beside a board. */
export { Level } from "@/components/level";
