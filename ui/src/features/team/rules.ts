import type { Member, MemberRole } from "@/api/types";
import { team } from "./strings";

export const ROLES: readonly MemberRole[] = ["owner", "admin", "member", "viewer"];

/** Whether no other member would own the team without this one. */
function isLastOwner(member: Member, members: Member[]): boolean {
  const owns = (one: Member) => one.role === "owner" && one.disabledAt === null;
  return owns(member) && !members.some((other) => other.id !== member.id && owns(other));
}

/** Why `me` may not change `member` at all; the server has the last word. */
export function whyNotManage(me: Member, member: Member): string | null {
  return member.role === "owner" && me.role !== "owner" ? team.role.ownersAlone : null;
}

/** Why `me` may not give `member` this role. */
export function whyNotRole(me: Member, member: Member, role: MemberRole, members: Member[]): string | null {
  if (role === member.role) return null;
  if (role === "owner" && me.role !== "owner") return team.role.ownerOnly;
  return whyNotManage(me, member) ?? (isLastOwner(member, members) ? team.role.lastOwner : null);
}

/** The roles that somebody new is given. Ownership is handed over to members alone. */
export const INVITED: readonly MemberRole[] = ROLES.filter((role) => role !== "owner");

/** Those whose name, address or role has all the words; without any, everyone. */
export function membersFound(members: readonly Member[], text: string): readonly Member[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return members.filter(({ name, email, role, disabledAt }) => {
    const hay = `${name} ${email} ${role} ${disabledAt === null ? "" : "disabled"}`.toLowerCase();
    return words.every((word) => hay.includes(word));
  });
}
