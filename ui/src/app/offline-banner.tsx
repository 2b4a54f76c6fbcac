import { WifiOff } from "lucide-react";
import { reconnectNow, useLiveState } from "@/live/socket";
import { t } from "@/strings";

/** Says that the server is out of reach, and that nothing typed is lost. */
export function OfflineBanner() {
  const offline = useLiveState() === "offline";
  return (
    <div role="status" aria-live="polite">
      {offline && (
        <div className="flex items-center justify-center gap-2 bg-amber-soft px-3 py-1.5 text-amber text-sm">
          <WifiOff aria-hidden className="size-4" />
          <span>{t.common.offline}</span>
          <button type="button" onClick={reconnectNow} className="font-semibold underline underline-offset-2">
            {t.common.reconnect}
          </button>
        </div>
      )}
    </div>
  );
}
