import { Section } from "@/components/page";
import { Factors } from "./factors";
import { words } from "./strings";

/** Two-step verification, among the settings. */
export function Security() {
  return (
    <Section id="security" title={words.title} lead={words.lead}>
      <Factors />
    </Section>
  );
}
