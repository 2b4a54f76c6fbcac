import createClient from "openapi-fetch";
import { ApiError, errorOf } from "./error";
import type { paths } from "./schema";

/** Told whenever the server says that the session is over. */
let onSignedOut: () => void = () => {};
export function setOnSignedOut(handler: () => void) {
  onSignedOut = handler;
}

/** Sends a request; every refusal and failure is thrown as an `ApiError`. */
export async function send(input: Request | string, init?: RequestInit): Promise<Response> {
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
    if (response.status === 401 && error.code !== "wrong-password") onSignedOut();
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
