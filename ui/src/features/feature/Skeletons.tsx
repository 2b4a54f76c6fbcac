import { Skeleton } from "@/components/ui/skeleton";

/** The room of a timeline that is being fetched. */
export function TimelineSkeleton() {
  return (
    <div role="status" className="flex flex-1 flex-col">
      <div className="h-9 border-line border-b" />
      <div className="mx-auto flex w-full max-w-4xl flex-col gap-3 px-4 py-4 pl-12">
        <Skeleton className="h-28 rounded-xl" />
        <Skeleton className="h-4 w-2/3" />
        <Skeleton className="h-4 w-1/2" />
        <Skeleton className="h-4 w-3/5" />
        <Skeleton className="h-4 w-2/5" />
      </div>
    </div>
  );
}

/** The room of a diff that is being fetched. */
export function DiffSkeleton() {
  return (
    <div role="status" className="flex h-full flex-col overflow-hidden">
      <div className="h-10 border-line border-b" />
      <div className="flex flex-col gap-3 p-3">
        <Skeleton className="h-56 rounded-xl" />
        <Skeleton className="h-40 rounded-xl" />
      </div>
    </div>
  );
}
