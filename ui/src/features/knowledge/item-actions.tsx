import { useNavigate } from "@tanstack/react-router";
import {
  Check,
  Download,
  Eraser,
  Link as LinkIcon,
  MoreHorizontal,
  Pencil,
  Trash2,
  Undo2,
  X,
} from "lucide-react";
import { useState } from "react";
import { useMay, useMe } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Menu, MenuItem, MenuSeparator } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { Tooltip } from "@/components/ui/tooltip";
import { fileUrl } from "./calls";
import { useDelete, useVerify } from "./deeds";
import { titleOf } from "./draft";
import { EraseItem } from "./erase";
import { RejectForm } from "./reject-form";
import { useMayRollBack } from "./roll-back";
import { pluralOf } from "./search";
import { words } from "./strings";
import { isOfRun, RollBack } from "./take-back";
import type { Item } from "./types";

const r = words.review;

/** What one can do with an item beside reading it. A learning can be judged at any time, not only while it is proposed. */
export function Actions({ item, mayWrite, onEdit }: { item: Item; mayWrite: boolean; onEdit: () => void }) {
  const navigate = useNavigate();
  const me = useMe().data;
  const runs = useMay("administer");
  const remove = useDelete();
  const verify = useVerify();
  const mayRollBack = useMayRollBack(isOfRun(item) ? item.sourceRunId : null);
  const [asking, setAsking] = useState<"reject" | "rollBack" | "erase" | null>(null);
  const mayDelete = mayWrite && (runs || item.createdBy === me?.id);
  const judged = item.kind === "learning" && mayWrite && item.deletedAt === null ? item : null;
  const isVerified = judged?.review === "accepted" && judged.confidence === "verified";
  const copyLink = () =>
    void navigator.clipboard
      ?.writeText(`${location.origin}/knowledge/${pluralOf(item.kind)}/${item.id}`)
      .then(() => toast.done(words.item.linkCopied, titleOf(item)));
  return (
    <>
      {mayWrite && item.deletedAt === null && (
        <Tooltip text={words.item.edit} keys="e">
          <Button onClick={onEdit}>
            <Pencil /> {words.item.edit}
          </Button>
        </Tooltip>
      )}
      <Menu
        align="end"
        trigger={
          <Button size="icon" variant="ghost" aria-label={words.item.more}>
            <MoreHorizontal />
          </Button>
        }
      >
        {judged && !isVerified && (
          <MenuItem
            icon={<Check />}
            disabled={verify.isPending}
            onClick={() => verify.mutate(judged, { onSuccess: () => toast.done(r.verified(judged.title)) })}
          >
            {r.verify}
          </MenuItem>
        )}
        {judged && judged.review !== "rejected" && (
          <MenuItem icon={<X />} onClick={() => setAsking("reject")}>
            {r.reject}
          </MenuItem>
        )}
        {judged && <MenuSeparator />}
        <MenuItem icon={<LinkIcon />} onClick={copyLink}>
          {words.item.copyLink}
        </MenuItem>
        {item.deletedAt === null && (
          <MenuItem icon={<Download />} render={<a href={fileUrl(item.id)} download />}>
            {words.move.one}
          </MenuItem>
        )}
        {(mayDelete || mayRollBack) && item.deletedAt === null && <MenuSeparator />}
        {mayDelete && item.deletedAt === null && (
          <MenuItem
            icon={<Trash2 />}
            danger
            onClick={() =>
              remove.mutate(item, {
                onSuccess: () => void navigate({ to: "/knowledge", search: { kind: item.kind } }),
              })
            }
          >
            {words.item.delete}
          </MenuItem>
        )}
        {mayRollBack && (
          <MenuItem icon={<Undo2 />} danger onClick={() => setAsking("rollBack")}>
            {r.rollBack}
          </MenuItem>
        )}
        {runs && (
          <MenuItem icon={<Eraser />} danger onClick={() => setAsking("erase")}>
            {words.erase.button}
          </MenuItem>
        )}
      </Menu>
      {judged && (
        <Dialog
          open={asking === "reject"}
          onOpenChange={(open) => setAsking(open ? "reject" : null)}
          title={r.rejectTitle(judged.title)}
          width="sm"
        >
          <div className="px-5 pt-1 pb-4">
            <RejectForm
              item={judged}
              onCancel={() => setAsking(null)}
              onDone={() => {
                setAsking(null);
                toast.done(r.rejected(judged.title));
              }}
            />
          </div>
        </Dialog>
      )}
      <EraseItem
        item={item}
        open={asking === "erase"}
        onOpenChange={(open) => setAsking(open ? "erase" : null)}
      />
      <RollBack
        runId={item.sourceRunId}
        open={asking === "rollBack"}
        onOpenChange={(open) => setAsking(open ? "rollBack" : null)}
      />
    </>
  );
}
