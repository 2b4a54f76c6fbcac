import type { NetworkPolicy } from "@/api/types";
import { Section } from "@/components/page";
import { Field, FieldTextarea } from "@/components/ui/input";
import { Radios } from "@/components/ui/radios";
import { Switch } from "@/components/ui/switch";
import { Refused, useNetwork } from "./refused";
import { network as s } from "./strings";

/** The settings as they are being edited: the list as text, a host on each line. */
export interface NetworkDraft {
  policy: NetworkPolicy;
  registries: boolean;
  hosts: string;
}

const POLICIES: NetworkPolicy[] = ["none", "allow-list", "open"];

/** What the project's commands reach of the network, and what they were refused. */
export function Network({
  projectId,
  draft,
  onChange,
  onAllowed,
  saved,
  mayManage,
  mayOpen,
  error,
}: {
  projectId: string;
  draft: NetworkDraft;
  onChange: (part: Partial<NetworkDraft>) => void;
  /** A refused host was allowed, and stands on the saved list. */
  onAllowed: (host: string) => void;
  /** The policy that holds now. */
  saved: NetworkPolicy;
  mayManage: boolean;
  mayOpen: boolean;
  error: string | undefined;
}) {
  const registries = useNetwork(projectId).data?.registries ?? [];
  return (
    <Section title={s.title} id="network" lead={s.lead}>
      <div className="flex flex-col gap-5">
        <Radios
          label={s.policy}
          value={draft.policy}
          onChange={(policy) => onChange({ policy })}
          options={POLICIES.map((value) => ({
            value,
            ...s.policies[value],
            disabled: !mayManage || (value === "open" && !mayOpen && saved !== "open"),
          }))}
        />
        {draft.policy === "allow-list" && (
          <div>
            <Switch
              checked={draft.registries}
              onChange={(registries) => onChange({ registries })}
              disabled={!mayManage}
              label={s.registries}
              help={s.registriesHelp}
            />
            {registries.length > 0 && (
              <details className="mt-1 ml-10.5 text-xs">
                <summary className="w-fit cursor-pointer rounded text-muted hover:text-ink">
                  {s.which(registries.length)}
                </summary>
                <p className="mt-1 break-words font-mono text-faint">{registries.join(", ")}</p>
              </details>
            )}
          </div>
        )}
        {/* The list is saved whatever the policy, so that what is wrong with it must be seen. */}
        {(draft.policy === "allow-list" || error !== undefined) && (
          <Field label={s.hosts} help={s.hostsHelp} error={error} optional>
            <FieldTextarea
              value={draft.hosts}
              onChange={(event) => onChange({ hosts: event.target.value })}
              spellCheck={false}
              autoCapitalize="off"
              placeholder="*.example.com"
              className="min-h-24 font-mono text-xs"
            />
          </Field>
        )}
        <Refused projectId={projectId} mayManage={mayManage} onAllowed={onAllowed} />
      </div>
    </Section>
  );
}
