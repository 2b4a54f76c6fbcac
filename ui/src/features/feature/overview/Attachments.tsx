import { useAttachments } from "@/api/queries";
import { FileLinks } from "../FileLinks";
import { s } from "../strings";

/** The files on a card. */
export function Attachments({ featureId }: { featureId: string }) {
  const attachments = useAttachments(featureId).data ?? [];
  return <FileLinks files={attachments} label={s.overview.attachments} className="mt-3" />;
}
