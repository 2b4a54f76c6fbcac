import { CircleAlert } from "lucide-react";
import type { ApiError } from "@/api/error";
import { RequestId } from "./ui/request-id";

/** What the server had against a form, above its buttons. */
export function FormError({ error }: { error: ApiError | null | undefined }) {
  if (!error) return null;
  return (
    <div role="alert" className="flex gap-2 rounded-md bg-red-soft px-3 py-2 text-red text-sm">
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
      <div className="min-w-0">
        <p className="break-words">{error.detail}</p>
        {error.requestId && error.status >= 500 && <RequestId id={error.requestId} className="text-red" />}
      </div>
    </div>
  );
}
