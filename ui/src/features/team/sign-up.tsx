import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries, useMay } from "@/api/queries";
import type { MemberRole, SignUpSetting } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { Radios } from "@/components/ui/radios";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { t } from "@/strings";
import { team } from "./strings";

type Way = "off" | "open" | "domain";
const WAYS: readonly Way[] = ["off", "open", "domain"];
const GIVEN: readonly MemberRole[] = ["member", "viewer"];

/** Who may make an account without an invitation. Owners decide it; admins see it. */
export function SignUp() {
  const setting = useQuery(queries.signUp());
  const may = useMay("own");
  return (
    <Section id="sign-up" title={team.signUp.title} lead={team.signUp.lead}>
      {setting.isError ? (
        <ErrorState error={setting.error} onRetry={() => setting.refetch()} className="py-6" />
      ) : setting.data === undefined ? (
        <Skeleton className="h-40 rounded-xl" />
      ) : may ? (
        <SignUpForm key={JSON.stringify(setting.data)} setting={setting.data} />
      ) : (
        <Told setting={setting.data} />
      )}
    </Section>
  );
}

const wayOf = (setting: SignUpSetting): Way => (!setting.open ? "off" : setting.domain ? "domain" : "open");

function Told({ setting }: { setting: SignUpSetting }) {
  const way = wayOf(setting);
  return (
    <p className="text-sm">
      <span className="font-medium">
        {team.signUp[way].label}
        {way === "domain" && `: ${setting.domain}`}
      </span>
      <span className="block text-faint text-xs">{team.signUp.ownerOnly}</span>
    </p>
  );
}

function SignUpForm({ setting }: { setting: SignUpSetting }) {
  const client = useQueryClient();
  const unproved = useQuery(queries.authStatus()).data?.mail === false;
  const [way, setWay] = useState(wayOf(setting));
  const [domain, setDomain] = useState(setting.domain ?? "");
  const [role, setRole] = useState(setting.role);
  const wanted: SignUpSetting = {
    open: way !== "off",
    domain: way === "domain" ? domain.trim() : null,
    role,
  };
  const same =
    wayOf(setting) === way &&
    (way === "off" || role === setting.role) &&
    (way !== "domain" || wanted.domain === setting.domain);
  const save = useMutation({
    mutationFn: () => api.putSignUp(wanted),
    onSuccess: (saved) => {
      client.setQueryData(keys.signUp, saved);
      client.removeQueries({ queryKey: keys.authStatus });
      toast.done(team.signUp.saved);
    },
  });
  const error = save.error && asApiError(save.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Radios
        label={team.signUp.title}
        value={way}
        onChange={setWay}
        options={WAYS.map((value) => ({ value, ...team.signUp[value] }))}
      />
      {way !== "off" && unproved && <p className="text-muted text-sm">{team.signUp.unproved}</p>}
      {way !== "off" && (
        <div className="grid gap-4 sm:grid-cols-2">
          {way === "domain" && (
            <Field label={team.signUp.domainLabel} error={error?.field("domain")}>
              <Input
                value={domain}
                onChange={(event) => setDomain(event.target.value)}
                placeholder="example.com"
                required
              />
            </Field>
          )}
          <Field label={team.signUp.role} error={error?.field("role")}>
            <Select
              value={role}
              onChange={setRole}
              options={GIVEN.map((value) => ({
                value,
                label: t.role[value].label,
                help: t.role[value].may,
              }))}
            />
          </Field>
        </div>
      )}
      <FormError error={error && error.fields.length === 0 ? error : null} />
      <Button type="submit" className="self-start" disabled={same} busy={save.isPending}>
        {team.signUp.save}
      </Button>
    </form>
  );
}
