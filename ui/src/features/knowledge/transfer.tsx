import { Link } from "@tanstack/react-router";
import { Download, MoreHorizontal, Trash2, Upload } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem } from "@/components/ui/menu";
import { exportUrl } from "./calls";
import type { HubSearch } from "./search";
import { words } from "./strings";

const ImportDialog = lazy(() => import("./import-dialog"));

/** Takes the hub out as Markdown files, and brings such files in. */
export function Transfer({ search, mayWrite }: { search: HubSearch; mayWrite: boolean }) {
  const [importing, setImporting] = useState<"open" | "closed" | null>(null);
  return (
    <>
      <Menu
        align="end"
        trigger={
          <Button variant="ghost" size="icon" aria-label={words.move.menu} title={words.move.menu}>
            <MoreHorizontal />
          </Button>
        }
      >
        {mayWrite && (
          <MenuItem icon={<Upload />} onClick={() => setImporting("open")}>
            {words.move.import}
          </MenuItem>
        )}
        <MenuItem icon={<Download />} render={<a href={exportUrl(search)} download />}>
          {search.kind === undefined && search.tag === undefined ? words.move.export : words.move.exportThese}
        </MenuItem>
        <MenuItem icon={<Trash2 />} render={<Link to="/knowledge" search={{ deleted: true }} />}>
          {words.move.deleted}
        </MenuItem>
      </Menu>
      {/* Once opened, it stays, so that it closes with its motion. */}
      <Suspense>
        {importing !== null && (
          <ImportDialog
            open={importing === "open"}
            onOpenChange={(open) => setImporting(open ? "open" : "closed")}
          />
        )}
      </Suspense>
    </>
  );
}
