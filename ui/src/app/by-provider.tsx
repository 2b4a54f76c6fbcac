import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { queries } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { t } from "@/strings";
import { onConfirmed } from "./confirmed";

/** Lets a member without a password prove in a window of its own, by a provider, who they are. */
export function ByProvider({ names, onConfirmed: done }: { names: string[]; onConfirmed: () => void }) {
  const providers = useQuery(queries.authStatus()).data?.providers ?? [];
  const [gone, setGone] = useState(false);
  useEffect(() => onConfirmed(done), [done]);
  const linked = providers.filter(({ name }) => names.includes(name));
  if (names.length === 0) return <p className="text-sm">{t.identity.noWay}</p>;
  return (
    <div className="flex flex-col gap-2">
      {linked.map(({ name, label }, n) => (
        <Button
          key={name}
          variant="primary"
          size="lg"
          autoFocus={n === 0}
          onClick={() => {
            window.open(`/confirm?${new URLSearchParams({ provider: name })}`, "_blank");
            setGone(true);
          }}
        >
          {t.identity.by(label)}
        </Button>
      ))}
      <p role="status" className="text-muted text-sm">
        {gone && t.identity.waiting}
      </p>
    </div>
  );
}
