import { type FormEvent, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";

/** Takes the name of a model that is not in the list. */
export default function OtherModel({
  onClose,
  onChosen,
}: {
  onClose: () => void;
  onChosen: (name: string) => void;
}) {
  const [name, setName] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    // It stands within the form of a card, which is not to be sent.
    event.stopPropagation();
    onChosen(name.trim());
  };
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title="Another model" width="sm">
      <form onSubmit={submit} className="flex flex-col gap-4 px-5 pt-1 pb-5">
        <Field
          label="Name"
          help="The provider, a slash and its own name for the model: compatible/qwen3:30b, openai/…, google/…, anthropic/…"
        >
          <Input
            value={name}
            onChange={(event) => setName(event.target.value)}
            placeholder="compatible/qwen3:30b"
            autoCapitalize="off"
            autoComplete="off"
            spellCheck={false}
            maxLength={200}
            autoFocus
            required
          />
        </Field>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" disabled={name.trim() === ""}>
            Use this model
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
