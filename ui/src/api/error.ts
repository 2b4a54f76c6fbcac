/** What went wrong with a request, as the server told it, or as the page found out by itself. */
export class ApiError extends Error {
  readonly status: number;
  /** A stable word, such as `stale`; `offline` when the server was not reached. */
  readonly code: string;
  /** What happened and what to do, in a sentence. */
  readonly detail: string;
  readonly requestId: string | null;
  /** What was wrong with single fields. */
  readonly fields: { field: string; message: string }[];
  /** The further members of the problem, such as `files` of a merge conflict. */
  readonly extras: Record<string, unknown>;

  constructor(init: {
    status: number;
    code: string;
    detail: string;
    requestId?: string | null;
    fields?: { field: string; message: string }[];
    extras?: Record<string, unknown>;
  }) {
    super(init.detail);
    this.name = "ApiError";
    this.status = init.status;
    this.code = init.code;
    this.detail = init.detail;
    this.requestId = init.requestId ?? null;
    this.fields = init.fields ?? [];
    this.extras = init.extras ?? {};
  }

  /** The complaint about one field, if there is one. */
  field(name: string): string | undefined {
    return this.fields.find((entry) => entry.field === name)?.message;
  }

  /** The complaint about a name, also where another of its kind has it. */
  get aboutName(): string | undefined {
    return this.field("name") ?? (this.code === "taken" ? this.detail : undefined);
  }
}

/** Whether it says nothing of what was asked for: a moment later all may be well. */
export const isPassing = (error: unknown) =>
  !(error instanceof ApiError) || error.status === 0 || error.status >= 502;

/** What an answer without words of its own means, and what helps. */
function statusWords({ status, statusText }: Response): string {
  if (status === 429) return "The server has too much to do just now. Try again in a minute.";
  const what = `The server answered ${status} ${statusText}`.trim();
  return status >= 500
    ? `${what}. Try again in a moment; if it stays so, tell whoever runs this server.`
    : `${what}. Load the page anew, and tell whoever runs this server if it stays so.`;
}

/** Makes an error of a refused answer, whatever its body is. */
export async function errorOf(response: Response): Promise<ApiError> {
  const requestId = response.headers.get("x-request-id");
  let body: Record<string, unknown> = {};
  try {
    const parsed: unknown = await response.json();
    if (parsed !== null && typeof parsed === "object") body = parsed as Record<string, unknown>;
  } catch {
    // Not JSON: a proxy's page, or an empty body. The status says enough.
  }
  const { type: _, title, status: __, detail, code, requestId: id, errors, ...extras } = body;
  return new ApiError({
    status: response.status,
    code: typeof code === "string" ? code : `http-${response.status}`,
    detail: typeof detail === "string" ? detail : typeof title === "string" ? title : statusWords(response),
    requestId: typeof id === "string" ? id : requestId,
    fields: Array.isArray(errors) ? (errors as { field: string; message: string }[]) : [],
    extras,
  });
}

/**
 * Whether a view has nothing to show but an error: nothing ever came, or the server said by now that it is gone or not for this member. An
 * outage takes away nothing that is there.
 */
export const isLost = <T extends { isLoadingError: boolean; isError: boolean; error: unknown }>(
  query: T,
): query is Extract<T, { isError: true }> =>
  query.isLoadingError || (query.isError && !isPassing(query.error));

/** Any thrown thing as an error that can be shown. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof TypeError)
    return new ApiError({ status: 0, code: "offline", detail: "The server cannot be reached." });
  return new ApiError({
    status: 0,
    code: "page",
    detail: error instanceof Error ? error.message : String(error),
  });
}
