import { Link } from "@tanstack/react-router";
import { ScrollText, UserPlus } from "lucide-react";
import { useState } from "react";
import { useMay } from "@/api/queries";
import { Page, Section } from "@/components/page";
import { Button } from "@/components/ui/button";
import { BackupsSection } from "@/features/backups/section";
import { SandboxSection } from "@/features/sandbox/section";
import { RequiredFactor } from "@/features/security/required";
import { Invitations } from "@/features/team/invitations";
import { InviteDialog } from "@/features/team/invite";
import { Mail } from "@/features/team/mail";
import { Members } from "@/features/team/members";
import { SealKeys } from "@/features/team/seal-keys";
import { SignUp } from "@/features/team/sign-up";
import { StopAll } from "@/features/team/stop-all";
import { team } from "@/features/team/strings";

export default function TeamPage() {
  const runs = useMay("administer");
  const [inviting, setInviting] = useState(false);
  return (
    <Page
      title={team.title}
      lead={team.lead}
      width="sm"
      actions={
        runs && (
          <>
            <Button render={<Link to="/audit" />}>
              <ScrollText /> {team.audit}
            </Button>
            <Button variant="primary" onClick={() => setInviting(true)}>
              <UserPlus /> {team.invite.open}
            </Button>
          </>
        )
      }
    >
      <Section id="members" title={team.members}>
        <Members />
      </Section>
      {runs && <Invitations />}
      {runs && <SignUp />}
      {runs && <Mail />}
      {runs && <SealKeys />}
      {runs && <RequiredFactor />}
      {runs && <SandboxSection />}
      {runs && <BackupsSection />}
      {runs && <StopAll />}
      {runs && <InviteDialog open={inviting} onOpenChange={setInviting} />}
    </Page>
  );
}
