import { describe, expect, it } from "vitest";
import type { Member, MemberRole } from "@/api/types";
import { membersFound, whyNotManage, whyNotRole } from "./rules";
import { team } from "./strings";

const member = (id: string, role: MemberRole, disabled = false): Member => ({
  id,
  name: id,
  email: `${id}@example.com`,
  role,
  timeZone: null,
  avatar: null,
  createdAt: "2026-03-10T12:00:00Z",
  lastLoginAt: null,
  disabledAt: disabled ? "2026-03-10T12:00:00Z" : null,
});

describe("what an admin may not do says why", () => {
  const owner = member("owner", "owner");
  const admin = member("admin", "admin");
  const viewer = member("viewer", "viewer");
  const all = [owner, admin, viewer];

  it("keeps owners to owners", () => {
    expect(whyNotManage(admin, owner)).toBe(team.role.ownersAlone);
    expect(whyNotManage(owner, admin)).toBeNull();
    expect(whyNotRole(admin, viewer, "owner", all)).toBe(team.role.ownerOnly);
    expect(whyNotRole(admin, viewer, "admin", all)).toBeNull();
    expect(whyNotRole(owner, viewer, "owner", all)).toBeNull();
  });

  it("keeps the last owner, and counts no disabled one", () => {
    expect(whyNotRole(owner, owner, "admin", all)).toBe(team.role.lastOwner);
    expect(whyNotRole(owner, owner, "owner", all)).toBeNull();
    expect(whyNotRole(owner, owner, "admin", [...all, member("second", "owner")])).toBeNull();
    const gone = member("gone", "owner", true);
    expect(whyNotRole(owner, owner, "admin", [...all, gone])).toBe(team.role.lastOwner);
    expect(whyNotRole(owner, gone, "admin", [...all, gone])).toBeNull();
  });
});

describe("somebody is found", () => {
  const all = [member("Ada", "owner"), member("Grace", "member"), member("Gregor", "viewer", true)];
  const found = (text: string) => membersFound(all, text).map((one) => one.name);

  it("by name, address and role, in any order", () => {
    expect(found("gr")).toEqual(["Grace", "Gregor"]);
    expect(found("viewer greg")).toEqual(["Gregor"]);
    expect(found("ada@example.com")).toEqual(["Ada"]);
    expect(found("disabled")).toEqual(["Gregor"]);
    expect(found("  ")).toHaveLength(3);
    expect(found("nobody")).toEqual([]);
  });
});
