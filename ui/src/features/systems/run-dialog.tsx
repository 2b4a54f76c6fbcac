import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { type FormEvent, useId, useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useProjects } from "@/api/queries";
import type { InputField, InputSchema } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Switch } from "@/components/ui/switch";
import { Unsaved } from "@/components/unsaved";
import { t } from "@/strings";
import { systemsApi } from "./api";
import { beginning } from "./given";
import { w } from "./strings";

/** Asks for what a system needs, and runs it. */
export function RunDialog({
  id,
  name,
  schema,
  draft,
  given,
  onClose,
}: {
  id: string;
  name: string;
  schema: InputSchema;
  draft: boolean;
  /** What it was given when it ran before. */
  given?: { projectId: string; input: Record<string, unknown> };
  onClose: () => void;
}) {
  const form = useId();
  const client = useQueryClient();
  const navigate = useNavigate();
  const projects = useProjects().data?.filter((project) => project.status === "ready") ?? [];
  const { projectId } = useParams({ strict: false });
  const [project, setProject] = useState(given?.projectId ?? projectId ?? projects[0]?.id ?? "");
  const fields = Object.entries(schema.properties ?? {});
  const [before] = useState(() => beginning(schema, given?.input));
  const [values, setValues] = useState(before);
  const run = useMutation({
    mutationFn: () => {
      const given = Object.entries(values).filter(([, value]) => value !== "" && value !== undefined);
      return systemsApi.run(id, project, Object.fromEntries(given));
    },
    onSuccess: (execution) => {
      void client.invalidateQueries({ queryKey: keys.executions });
      onClose();
      const params = { executionId: execution.id };
      void navigate({ to: "/executions/$executionId", params, ignoreBlocker: true });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!run.isPending) run.mutate();
  };
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={w.runTitle(name)}
      footer={
        <>
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" form={form} variant="primary" busy={run.isPending} disabled={project === ""}>
            {w.start}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4 px-5 pt-2 pb-4">
        <Unsaved dirty={JSON.stringify(values) !== JSON.stringify(before) && !run.isSuccess} />
        {draft && <p className="text-muted text-sm">{w.draftShown}</p>}
        <Field label={w.project} help={projects.length === 0 ? w.noProject : undefined}>
          <Select
            value={project}
            placeholder={w.choose}
            onChange={setProject}
            options={projects.map((one) => ({ value: one.id, label: one.name }))}
          />
        </Field>
        {fields.map(([name, field]) => (
          <Asked
            key={name}
            name={name}
            field={field}
            needed={schema.required?.includes(name) ?? false}
            value={values[name]}
            onChange={(value) => setValues((old) => ({ ...old, [name]: value }))}
          />
        ))}
        <FormError error={run.error ? asApiError(run.error) : null} />
      </form>
    </Dialog>
  );
}

function Asked({
  name,
  field,
  needed,
  value,
  onChange,
}: {
  name: string;
  field: InputField;
  needed: boolean;
  value: unknown;
  onChange: (value: unknown) => void;
}) {
  const label = field.title ?? name;
  const about = { label, optional: !needed, ...(field.description ? { help: field.description } : {}) };
  if (field.type === "boolean")
    return (
      <Switch
        label={label}
        help={field.description ?? undefined}
        checked={value === true}
        onChange={onChange}
      />
    );
  if (field.enum != null)
    return (
      <Field {...about}>
        <Select
          value={String(value ?? "")}
          placeholder={w.choose}
          onChange={(text) => onChange(field.enum?.find((one) => String(one) === text))}
          options={field.enum.map((one) => ({ value: String(one), label: String(one) }))}
        />
      </Field>
    );
  if (field.type === "array")
    return (
      <Field {...about} help={field.description ?? w.list}>
        <FieldTextarea
          required={needed}
          value={Array.isArray(value) ? value.join("\n") : ""}
          onChange={(event) =>
            onChange(event.target.value === "" ? undefined : event.target.value.split("\n"))
          }
        />
      </Field>
    );
  if (field.type === "string" && field.format === "multiline")
    return (
      <Field {...about}>
        <FieldTextarea
          rows={5}
          required={needed}
          value={typeof value === "string" ? value : ""}
          onChange={(event) => onChange(event.target.value)}
        />
      </Field>
    );
  const number = field.type !== "string";
  return (
    <Field {...about}>
      <Input
        required={needed}
        {...(number ? { type: "number", step: field.type === "integer" ? 1 : "any" } : {})}
        value={value === undefined ? "" : String(value)}
        onChange={(event) => {
          const text = event.target.value;
          onChange(text === "" ? undefined : number ? Number(text) : text);
        }}
      />
    </Field>
  );
}
