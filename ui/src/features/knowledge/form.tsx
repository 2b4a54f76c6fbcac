import type { ReactNode } from "react";
import type { ApiError } from "@/api/error";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { ContentField } from "./content-field";
import type { Draft } from "./draft";
import * as labels from "./labels";
import { ListField, patternsOf } from "./list-field";
import { RelatedField } from "./related-field";
import { words } from "./strings";
import { CATEGORIES, CONFIDENCES, ENTRY_TYPES, type Kind, LEARNING_TYPES, STATUSES } from "./types";

const w = words.form;
const PRIORITIES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

interface Props {
  kind: Kind;
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
  error: ApiError | null;
}

function options<T extends string>(values: readonly T[], names: Record<T, string>) {
  return values.map((value) => ({ value, label: names[value] }));
}

/** All fields of an item, each with its own control. What the server has against one stands below it. */
export function ItemForm({
  kind,
  draft,
  onChange,
  error,
  self,
  focusTitle,
}: Props & { self: string | null; focusTitle?: boolean }) {
  const told = (field: string) => error?.field(field);
  return (
    <div className="flex flex-col gap-5">
      <Field label={kind === "blueprint" ? w.name : w.title} error={told("title") ?? told("name")}>
        <Input
          value={draft.title}
          maxLength={200}
          placeholder={w.titlePlace}
          onChange={(event) => onChange({ title: event.target.value })}
          className="h-10 font-medium text-base"
          autoFocus={focusTitle ?? false}
        />
      </Field>
      <Field label={w.description} error={told("description")} optional>
        <FieldTextarea
          value={draft.description}
          maxLength={2_000}
          rows={2}
          onChange={(event) => onChange({ description: event.target.value })}
          className="min-h-14"
        />
      </Field>
      <ContentField
        value={draft.content}
        onChange={(content) => onChange({ content })}
        placeholder={w.contentPlace[kind]}
        error={told("content")}
      />
      {kind === "learning" && <LearningTexts draft={draft} onChange={onChange} told={told} />}
      <Row>
        {kind === "blueprint" && <BlueprintChoices draft={draft} onChange={onChange} />}
        {kind === "entry" && (
          <Field label={w.type}>
            <Select
              value={draft.entryType}
              onChange={(entryType) => onChange({ entryType })}
              options={options(ENTRY_TYPES, labels.entryType)}
            />
          </Field>
        )}
        {kind === "learning" && (
          <>
            <Field label={w.type}>
              <Select
                value={draft.learningType}
                onChange={(learningType) => onChange({ learningType })}
                options={options(LEARNING_TYPES, labels.learningType)}
              />
            </Field>
            <Field
              label={w.confidence}
              {...(draft.confidence === "verified" ? { help: w.confidenceVerified } : {})}
            >
              <Select
                value={draft.confidence}
                onChange={(confidence) => onChange({ confidence })}
                options={options(
                  // Given by verifying alone.
                  CONFIDENCES.filter((one) => one !== "verified" || draft.confidence === "verified"),
                  labels.confidence,
                )}
              />
            </Field>
          </>
        )}
        <ListField
          label={w.tags}
          help={w.tagsHelp}
          error={told("tags")}
          value={draft.tags}
          onChange={(tags) => onChange({ tags })}
        />
        {kind === "entry" && (
          <>
            <Field label={w.sourceUrl} error={told("sourceUrl")} optional>
              <Input
                type="url"
                inputMode="url"
                placeholder="https://"
                maxLength={2_000}
                value={draft.sourceUrl}
                onChange={(event) => onChange({ sourceUrl: event.target.value })}
              />
            </Field>
            <ListField
              label={w.keywords}
              error={told("keywords")}
              value={draft.keywords}
              onChange={(keywords) => onChange({ keywords })}
            />
          </>
        )}
        <RelatedField self={self} value={draft.related} onChange={(related) => onChange({ related })} />
      </Row>
      {kind !== "entry" && <Where kind={kind} draft={draft} onChange={onChange} told={told} />}
    </div>
  );
}

function Row({ children }: { children: ReactNode }) {
  return <div className="grid items-start gap-x-4 gap-y-5 sm:grid-cols-2 lg:grid-cols-3">{children}</div>;
}

type Told = { told: (field: string) => string | undefined };

function LearningTexts({ draft, onChange, told }: Pick<Props, "draft" | "onChange"> & Told) {
  return (
    <Row>
      {(["problem", "solution", "prevention"] as const).map((field) => (
        <Field key={field} label={w[field]} error={told(field)} optional>
          <FieldTextarea
            value={draft[field]}
            maxLength={10_000}
            rows={3}
            onChange={(event) => onChange({ [field]: event.target.value })}
          />
        </Field>
      ))}
    </Row>
  );
}

function BlueprintChoices({ draft, onChange }: Pick<Props, "draft" | "onChange">) {
  return (
    <>
      <Field label={w.category}>
        <Select
          value={draft.category}
          onChange={(category) => onChange({ category })}
          options={options(CATEGORIES, labels.category)}
        />
      </Field>
      <Field label={w.status}>
        <Select
          value={draft.status}
          onChange={(status) => onChange({ status })}
          options={STATUSES.map((status) => ({
            value: status,
            label: labels.status[status],
            help: labels.statusHelp[status],
          }))}
        />
      </Field>
      <Field label={w.priority} help={w.priorityHelp}>
        <Select
          value={String(draft.priority)}
          onChange={(priority) => onChange({ priority: Number(priority) })}
          options={PRIORITIES.map((n) => ({ value: String(n), label: String(n) }))}
        />
      </Field>
    </>
  );
}

/** To which work it belongs. */
function Where({ kind, draft, onChange, told }: Pick<Props, "kind" | "draft" | "onChange"> & Told) {
  const of = kind === "blueprint" ? "autoLoadConditions" : "context";
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-2">
        <span className="font-medium text-sm">{kind === "blueprint" ? w.conditions : w.where}</span>
        {kind === "blueprint" && <span className="ml-2 text-faint text-xs">{w.conditionsHelp}</span>}
      </legend>
      <Row>
        <ListField
          label={w.languages}
          error={told(`${of}.languages`)}
          value={draft.languages}
          onChange={(languages) => onChange({ languages })}
        />
        <ListField
          label={w.filePatterns}
          help={w.filePatternsHelp}
          error={told(`${of}.filePatterns`)}
          parts={patternsOf}
          value={draft.filePatterns}
          onChange={(filePatterns) => onChange({ filePatterns })}
        />
        {kind === "blueprint" ? (
          <ListField
            label={w.taskTypes}
            help={w.taskTypesHelp}
            error={told(`${of}.taskTypes`)}
            value={draft.taskTypes}
            onChange={(taskTypes) => onChange({ taskTypes })}
          />
        ) : (
          <ListField
            label={w.frameworks}
            error={told(`${of}.frameworks`)}
            value={draft.frameworks}
            onChange={(frameworks) => onChange({ frameworks })}
          />
        )}
      </Row>
    </fieldset>
  );
}
