import { themes } from "@/app/member-menu";
import { Section } from "@/components/page";
import { cn } from "@/lib/cn";
import { chooseTheme, useThemeChoice } from "@/lib/theme";

/** Light, dark, or what the system says. */
export function Appearance() {
  const choice = useThemeChoice();
  return (
    <Section id="appearance" title="Appearance" lead="On every device on which you sign in.">
      <fieldset>
        <legend className="sr-only">Theme</legend>
        <div className="flex flex-wrap gap-2">
          {themes.map((theme) => (
            <label
              key={theme.value}
              className={cn(
                "relative flex items-center gap-2 rounded-lg border px-3 py-2 text-sm has-focus-visible:outline-2 has-focus-visible:outline-ring [&_svg]:size-4",
                theme.value === choice
                  ? "border-accent bg-accent-soft font-medium [&_svg]:text-accent-text"
                  : "border-line-strong hover:bg-hover [&_svg]:text-faint",
              )}
            >
              <input
                type="radio"
                name="theme"
                value={theme.value}
                checked={theme.value === choice}
                onChange={() => chooseTheme(theme.value)}
                className="sr-only"
              />
              {theme.icon}
              {theme.label}
            </label>
          ))}
        </div>
      </fieldset>
    </Section>
  );
}
