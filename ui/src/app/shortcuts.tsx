import { Dialog } from "@/components/ui/dialog";
import { Keys } from "@/components/ui/kbd";
import { t } from "@/strings";
import { overlay } from "./overlay";

const groups: { title: string; keys: [string, string][] }[] = [
  {
    title: "Everywhere",
    keys: [
      ["mod+k", "Search, jump, do"],
      ["c", "New card"],
      ["g i", "Go to the inbox"],
      ["g n", "Go to the notifications"],
      ["g a", "Go to the agents at work"],
      ["g k", "Go to the knowledge hub"],
      ["g u", "Go to the usage"],
      ["g p", "Go to the projects"],
      ["g t", "Go to the team"],
      ["g s", "Go to the settings"],
      ["?", "This list"],
    ],
  },
  {
    title: "On the board",
    keys: [
      ["j", "Next card"],
      ["k", "Card before"],
      ["h", "Column to the left"],
      ["l", "Column to the right"],
      ["enter", "Open"],
      ["e", "Edit"],
      ["s", "Start, resume or retry"],
      ["x", "Select"],
      ["shift+j", "Select on, down the column"],
      ["shift+k", "Select on, up the column"],
      ["a", "To what is done with the selected"],
      ["m", "Pick up and move with the arrows"],
      ["/", "Filter"],
      ["esc", "Close, clear"],
    ],
  },
  {
    title: "In the inbox",
    keys: [
      ["j", "Next"],
      ["k", "The one before"],
      ["enter", "Open"],
    ],
  },
  {
    title: "In the notifications",
    keys: [
      ["j", "Next"],
      ["k", "The one before"],
      ["enter", "Open"],
      ["e", "Mark as read"],
      ["shift+e", "Mark all as read"],
    ],
  },
  {
    title: "In the knowledge hub",
    keys: [
      ["/", "Search"],
      ["j", "Next"],
      ["k", "The one before"],
      ["enter", "Open"],
      ["n", "Write something new"],
      ["r", "Review what agents propose"],
    ],
  },
  {
    title: "On an item of the hub",
    keys: [
      ["e", "Edit"],
      ["h", "History"],
      ["mod+enter", "Save, while writing"],
    ],
  },
  {
    title: "In the review of learnings",
    keys: [
      ["v", "Verify"],
      ["e", "Correct"],
      ["x", "Reject, with a reason"],
      ["j", "Next"],
      ["k", "The one before"],
    ],
  },
  {
    title: "On a plan that waits",
    keys: [
      ["shift+a", "Approve"],
      ["shift+e", "Change and approve"],
      ["shift+r", "Send back"],
    ],
  },
  {
    title: "In the card editor",
    keys: [
      ["mod+enter", "Save"],
      ["mod+shift+enter", "Save and start"],
    ],
  },
];

/** All keys that do something. */
export default function Shortcuts() {
  const open = overlay.use() === "shortcuts";
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => overlay.set(next ? "shortcuts" : null)}
      title={t.nav.help}
      width="lg"
    >
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so it must be reached by keyboard.
        tabIndex={0}
        aria-label={t.nav.help}
        className="gap-x-10 px-5 pt-2 sm:columns-2"
      >
        {groups.map((group) => (
          <section key={group.title} className="break-inside-avoid pb-6">
            <h3 className="mb-1.5 font-medium text-faint text-xs">{group.title}</h3>
            <dl className="flex flex-col">
              {group.keys.map(([keys, what]) => (
                <div
                  key={keys}
                  className="flex items-center justify-between gap-4 border-line border-b py-1.5 last:border-0"
                >
                  <dt className="text-sm">{what}</dt>
                  <dd className="flex items-center gap-1 text-faint text-xs">
                    {keys.split(" ").map((part, at) => (
                      <span key={part} className="flex items-center gap-1">
                        {at > 0 && "then"}
                        <Keys keys={part} />
                      </span>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </section>
    </Dialog>
  );
}
