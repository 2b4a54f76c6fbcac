import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/error";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal stays a refusal; only what did not arrive is asked for again.
      retry: (tries, error) =>
        tries < 2 && (!(error instanceof ApiError) || error.status === 0 || error.status >= 502),
      refetchOnWindowFocus: false,
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});
