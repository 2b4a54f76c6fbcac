import createClient from "openapi-fetch";
import { ApiError, errorOf } from "./error";
import type { paths } from "./schema";

/** Told whenever the server says that the session is over. Resolves to whether the member signed in again. */
let onSignedOut: () => Promise<boolean> = async () => false;
export function setOnSignedOut(handler: () => Promise<boolean>) {
  onSignedOut = handler;
}

/** Asked when a request needs that the member proves once more who they are. Resolves to whether they did. */
let onConfirmNeeded: () => Promise<boolean> = async () => false;
export function setOnConfirmNeeded(handler: () => Promise<boolean>) {
  onConfirmNeeded = handler;
}

/** Told when the team asks for a second factor that the member has yet to set up. */
let onFactorNeeded: () => void = () => {};
export function setOnFactorNeeded(handler: () => void) {
  onFactorNeeded = handler;
}

const CONFIRM_NEEDED = "confirm-needed";
const isSafe = (method: string) => method === "GET" || method === "HEAD";

/**
 * Sends a request; every refusal and failure is thrown as an `ApiError`. What the server takes only from a member who
 * proved lately who they are is sent once more after they did.
 */
export async function send(input: Request | string, init?: RequestInit): Promise<Response> {
  // A request's body can be read once.
  const again = input instanceof Request && !isSafe(input.method) ? input.clone() : input;
  try {
    return await sendOnce(input, init);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401 && error.code !== "wrong-password") {
      // What signs somebody in, or looks who is, cannot wait for that.
      const over = onSignedOut();
      if (!/\/api\/auth\//.test(input instanceof Request ? input.url : input) && (await over))
        return send(again, init);
    }
    if (error.code !== CONFIRM_NEEDED) throw error;
    if (await onConfirmNeeded()) return sendOnce(again, init);
    throw new ApiError({
      status: error.status,
      code: error.code,
      detail: "Nothing was changed: it was not confirmed.",
      requestId: error.requestId,
    });
  }
}

/** Whether the member chose not to go on, which needs no words. */
export function isDeclined(error: ApiError): boolean {
  return error.code === CONFIRM_NEEDED;
}

async function sendOnce(input: Request | string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(input, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError({
      status: 0,
      code: "offline",
      detail: "The server cannot be reached. Nothing was lost; try again when you are connected.",
    });
  }
  if (!response.ok) {
    const error = await errorOf(response);
    if (error.code === "second-factor-needed") onFactorNeeded();
    throw error;
  }
  return response;
}

/** The server's routes, typed by its own description. */
export const client = createClient<paths>({ fetch: (request) => send(request) });

/** The answer's body. What is no success was thrown before. */
export async function body<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T;
}

/** That a route is about this thing. */
export const path = (id: string) => ({ params: { path: { id } } });

/** Reads every page of a list. */
export async function all<T>(
  page: (after: string | undefined) => Promise<{ items: T[]; next: string | null }>,
): Promise<T[]> {
  const items: T[] = [];
  let after: string | undefined;
  do {
    const { items: more, next } = await page(after);
    items.push(...more);
    after = next ?? undefined;
  } while (after !== undefined);
  return items;
}
