import type { ComponentProps } from "react";
import { Page } from "@/components/page";
import { Sections } from "./sections";

/** A section of the page for whoever keeps the server running. All are as wide, so that their tabs stay where they are. */
export function OperationPage({
  narrow,
  children,
  ...page
}: Omit<ComponentProps<typeof Page>, "width"> & {
  /** For texts and forms, which are read worse in long lines. */
  narrow?: boolean;
}) {
  return (
    <Page {...page} width="lg">
      <Sections />
      {narrow ? <div className="max-w-3xl">{children}</div> : children}
    </Page>
  );
}
