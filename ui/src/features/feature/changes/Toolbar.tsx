import {
  Columns2,
  FoldVertical,
  ListTree,
  LoaderCircle,
  Rows2,
  Settings2,
  UnfoldVertical,
} from "lucide-react";
import type { ReactNode } from "react";
import type { Diff } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Popover } from "@/components/ui/popover";
import { Switch } from "@/components/ui/switch";
import { Tooltip } from "@/components/ui/tooltip";
import { cn } from "@/lib/cn";
import { Stat } from "../header/Facts";
import { s } from "../strings";
import { type Prefs, prefs } from "./prefs";

/** How much changed, how much of it was looked at, and how it is shown. */
export function Toolbar({
  diff,
  viewed,
  updating,
  wide,
  tree,
  onFold,
}: {
  diff: Diff;
  viewed: number;
  updating: boolean;
  /** There is room for two columns. */
  wide: boolean;
  /** The tree, for where there is no room beside the changes. */
  tree: ReactNode;
  onFold: (folded: boolean) => void;
}) {
  const shown = prefs.use();
  const set = (change: Partial<Prefs>) => prefs.set((before) => ({ ...before, ...change }));
  return (
    <div className="flex h-10 items-center gap-2 border-line border-b px-3 text-xs">
      {wide ? (
        <Tooltip text={shown.tree ? s.changes.hideTree : s.changes.showTree}>
          <Button
            variant="ghost"
            size="icon-sm"
            aria-label={shown.tree ? s.changes.hideTree : s.changes.showTree}
            aria-pressed={shown.tree}
            onClick={() => set({ tree: !shown.tree })}
          >
            <ListTree />
          </Button>
        </Tooltip>
      ) : (
        <Popover
          label={s.changes.fileTree}
          className="w-80 px-1! py-2!"
          trigger={
            <Button variant="ghost" size="icon-sm" aria-label={s.changes.showTree}>
              <ListTree />
            </Button>
          }
        >
          {tree}
        </Popover>
      )}
      <span className="flex items-center gap-2">
        <span className="num">{s.changes.files(diff.stat.files)}</span>
        <Stat added={diff.stat.additions} removed={diff.stat.deletions} />
      </span>
      {updating && (
        <LoaderCircle aria-label={s.changes.updating} className="size-3.5 animate-spin-slow text-faint" />
      )}
      <span className="flex-1" />
      <span className="num hidden text-faint @md:inline">
        {s.changes.viewedOf(viewed, diff.files.length)}
      </span>
      {wide && (
        <fieldset className="flex rounded-md border border-line p-px">
          <legend className="sr-only">{s.changes.layout}</legend>
          <Segment
            label={s.changes.unified}
            on={shown.layout === "unified"}
            onClick={() => set({ layout: "unified" })}
          >
            <Rows2 />
          </Segment>
          <Segment
            label={s.changes.split}
            on={shown.layout === "split"}
            onClick={() => set({ layout: "split" })}
          >
            <Columns2 />
          </Segment>
        </fieldset>
      )}
      <Popover
        label={s.changes.settings}
        align="end"
        className="w-64"
        trigger={
          <Button variant="ghost" size="icon-sm" aria-label={s.changes.settings} title={s.changes.settings}>
            <Settings2 />
          </Button>
        }
      >
        <div className="flex flex-col gap-3">
          <Switch
            checked={shown.hideWhitespace}
            onChange={(hideWhitespace) => set({ hideWhitespace })}
            label={s.changes.whitespace}
          />
          <div className="flex gap-1.5">
            <Button size="sm" className="flex-1" onClick={() => onFold(true)}>
              <FoldVertical /> {s.changes.collapseAll}
            </Button>
            <Button size="sm" className="flex-1" onClick={() => onFold(false)}>
              <UnfoldVertical /> {s.changes.expandAll}
            </Button>
          </div>
          <p className="text-faint text-xs">{s.changes.keys}</p>
        </div>
      </Popover>
    </div>
  );
}

function Segment({
  label,
  on,
  onClick,
  children,
}: {
  label: string;
  on: boolean;
  onClick: () => void;
  children: ReactNode;
}) {
  return (
    <Tooltip text={label}>
      <button
        type="button"
        aria-pressed={on}
        aria-label={label}
        onClick={onClick}
        className={cn(
          "flex h-6 w-7 items-center justify-center rounded-[5px] text-faint hover:text-ink [&_svg]:size-3.5",
          on && "bg-pressed text-ink",
        )}
      >
        {children}
      </button>
    </Tooltip>
  );
}
