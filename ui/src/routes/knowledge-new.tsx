import { getRouteApi } from "@tanstack/react-router";
import { Lock } from "lucide-react";
import { useMay, useMe } from "@/api/queries";
import { Page } from "@/components/page";
import { Empty } from "@/components/state";
import { Radios } from "@/components/ui/radios";
import { takeBeginning } from "@/features/knowledge/beginning";
import { Editor } from "@/features/knowledge/editor";
import * as labels from "@/features/knowledge/labels";
import { newSearch } from "@/features/knowledge/search";
import { words } from "@/features/knowledge/strings";
import { KINDS } from "@/features/knowledge/types";
import { t } from "@/strings";

const route = getRouteApi("/frame/knowledge/new");

export default function KnowledgeNewPage() {
  const { kind = "entry", run } = newSearch({ ...route.useSearch() });
  const navigate = route.useNavigate();
  const known = useMe().data !== undefined;
  const mayWrite = useMay("knowledge");
  if (!known) return null;
  if (!mayWrite)
    return (
      <Page title={words.title}>
        <Empty icon={<Lock />} title={t.common.forbidden}>
          {words.viewer}
        </Empty>
      </Page>
    );
  return (
    <Editor
      key={run}
      kind={kind}
      item={null}
      beginning={{
        ...(run === undefined ? {} : { runId: run, ...takeBeginning(run) }),
      }}
      kindChoice={
        <Radios
          label={words.form.kind}
          showLabel
          value={kind}
          onChange={(next) =>
            void navigate({ search: (before) => ({ ...before, kind: next }), replace: true })
          }
          options={KINDS.map((one) => ({
            value: one,
            label: labels.kindName[one].one,
            help: labels.kindName[one].what,
          }))}
        />
      }
      onDone={() => void navigate({ to: "/knowledge", search: { kind } })}
    />
  );
}
