import { Copy, Download } from "lucide-react";
import { Button } from "@/components/ui/button";
import { announce } from "@/lib/announce";
import { t } from "@/strings";
import { words } from "./strings";

/** Recovery codes, shown this once. */
export function RecoveryCodes({ codes }: { codes: string[] }) {
  const all = codes.join("\n");
  return (
    <div className="flex flex-col gap-3">
      <p className="text-muted text-sm">{words.codes.made}</p>
      <ol
        aria-label={words.codes.title}
        className="grid grid-cols-1 gap-x-6 gap-y-1.5 rounded-md border border-line-strong bg-sunken p-4 font-mono text-sm sm:grid-cols-2"
      >
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ol>
      <div className="flex flex-wrap gap-2">
        <Button
          onClick={() => void navigator.clipboard?.writeText(all).then(() => announce(t.common.copied))}
        >
          <Copy /> {words.codes.copy}
        </Button>
        <Button
          render={
            <a
              href={`data:text/plain;charset=utf-8,${encodeURIComponent(`${all}\n`)}`}
              download="guildhall-recovery-codes.txt"
            />
          }
        >
          <Download /> {words.codes.save}
        </Button>
      </div>
    </div>
  );
}
