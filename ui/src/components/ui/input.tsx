import { Field as BaseField } from "@base-ui/react/field";
import { type ComponentProps, type ReactNode, type SyntheticEvent, useState } from "react";
import { cn } from "@/lib/cn";
import { t } from "@/strings";

const look =
  "w-full rounded-md border border-line-strong bg-surface px-2.5 text-sm text-ink placeholder:text-faint transition-[border-color,box-shadow] duration-100 hover:border-faint/60 focus-visible:border-ring focus-visible:outline-none focus-visible:ring-2 focus-visible:ring-ring/30 disabled:opacity-60 aria-invalid:border-red data-invalid:border-red";

export function Input({ className, ...props }: ComponentProps<"input">) {
  return <BaseField.Control className={cn(look, "h-9", className)} {...props} />;
}

export function Textarea({ className, ...props }: ComponentProps<"textarea">) {
  return <textarea className={cn(look, "min-h-20 resize-y py-2 leading-normal", className)} {...props} />;
}

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** A label, a control, a word of help and a complaint, tied together for screen readers. */
export function Field({
  label,
  help,
  error,
  optional,
  action,
  className,
  children,
}: {
  label: ReactNode;
  help?: ReactNode;
  error?: string | undefined;
  optional?: boolean;
  action?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  // What the browser would say in a bubble of its own, at whichever field comes first.
  const [fault, setFault] = useState<{ control: Control; words: string }>();
  const onInvalid = (event: SyntheticEvent) => {
    const control = event.target as Control;
    event.preventDefault();
    const { valueMissing, patternMismatch } = control.validity;
    // What fits a pattern, the field's title says.
    const words = valueMissing
      ? t.common.needed
      : (patternMismatch && control.title) || control.validationMessage;
    setFault({ control, words });
    if (control.form?.querySelector("input:invalid, textarea:invalid, select:invalid") === control)
      control.focus();
  };
  // A control may put a sound value in place by itself, after an arrow key or when it is left, of which no `input` tells.
  const lookAgain = () =>
    fault && requestAnimationFrame(() => fault.control.validity.valid && setFault(undefined));
  const complaint = error ?? fault?.words;
  return (
    <BaseField.Root
      invalid={Boolean(complaint)}
      className={cn("flex flex-col gap-1.5", className)}
      onInvalidCapture={onInvalid}
      onInputCapture={() => setFault(undefined)}
      onKeyDownCapture={lookAgain}
      onBlurCapture={lookAgain}
    >
      <div className="flex items-baseline justify-between gap-2">
        <BaseField.Label className="font-medium text-ink text-sm">
          {label}
          {optional && <span className="ml-1.5 font-normal text-faint text-xs">optional</span>}
        </BaseField.Label>
        {action}
      </div>
      {children}
      {complaint ? (
        <BaseField.Error match className="text-red text-xs" role="alert">
          {complaint}
        </BaseField.Error>
      ) : (
        help && <BaseField.Description className="text-faint text-xs">{help}</BaseField.Description>
      )}
    </BaseField.Root>
  );
}

/** A textarea inside a `Field`. */
export function FieldTextarea({ className, ...props }: ComponentProps<"textarea">) {
  return (
    <BaseField.Control
      render={<textarea />}
      className={cn(look, "min-h-20 resize-y py-2 leading-normal", className)}
      {...(props as ComponentProps<"input">)}
    />
  );
}
