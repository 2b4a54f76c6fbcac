import { QueryClient } from "@tanstack/react-query";
import { isPassing } from "@/api/error";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal stays a refusal; only what did not arrive is asked for again.
      retry: (tries, error) => tries < 2 && isPassing(error),
      refetchOnWindowFocus: false,
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});
