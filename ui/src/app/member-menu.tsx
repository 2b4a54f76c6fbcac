import { useNavigate } from "@tanstack/react-router";
import { Keyboard, LogOut, Monitor, Moon, Sun } from "lucide-react";
import { asApiError } from "@/api/error";
import { useMe } from "@/api/queries";
import { Avatar } from "@/components/ui/avatar";
import { Menu, MenuItem, MenuLabel, MenuRadio, MenuSeparator } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { chooseTheme, useThemeChoice } from "@/lib/theme";
import { anyUnsaved, askToLeave } from "@/lib/unsaved";
import { t } from "@/strings";
import { overlay } from "./overlay";
import { useRail } from "./rail";
import { signOut } from "./session";

export const themes = [
  { value: "system" as const, label: "Like the system", icon: <Monitor /> },
  { value: "light" as const, label: "Light", icon: <Sun /> },
  { value: "dark" as const, label: "Dark", icon: <Moon /> },
];

/** Signs out and shows the sign-in; asks first where something would be lost. */
export function useSignOut() {
  const navigate = useNavigate();
  return async () => {
    if (anyUnsaved() && !(await askToLeave())) return;
    await signOut().then(
      () => navigate({ to: "/login" }),
      (error: unknown) => toast.error(undefined, asApiError(error)),
    );
  };
}

/** Who is signed in, with the theme and the way out. */
export function MemberMenu() {
  const { data: me } = useMe();
  const theme = useThemeChoice();
  const leave = useSignOut();
  const rail = useRail();
  if (me === undefined) return null;
  return (
    <Menu
      side="top"
      trigger={
        <button
          type="button"
          className="mt-1 flex h-9 items-center gap-2.5 rounded-md px-1.5 text-left text-sm hover:bg-hover data-popup-open:bg-hover"
        >
          <Avatar name={me.name} id={me.id} picture={me.avatar} />
          <span className={rail ? "sr-only" : "min-w-0 flex-1 truncate font-medium"}>{me.name}</span>
        </button>
      }
    >
      <div className="px-2 pt-1 pb-1.5 text-sm">
        <div className="font-medium">{me.name}</div>
        <div className="text-faint text-xs">{me.email}</div>
      </div>
      <MenuSeparator />
      <MenuLabel>Theme</MenuLabel>
      <MenuRadio value={theme} onChange={chooseTheme} options={themes} />
      <MenuSeparator />
      <MenuItem icon={<Keyboard />} shortcut="?" onClick={() => overlay.set("shortcuts")}>
        {t.nav.help}
      </MenuItem>
      <MenuItem icon={<LogOut />} onClick={() => void leave()}>
        {t.nav.signOut}
      </MenuItem>
    </Menu>
  );
}
