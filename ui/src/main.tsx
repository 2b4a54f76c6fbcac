import { CSPProvider } from "@base-ui/react/csp-provider";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "@/app/query-client";
import { onLeave, safeNext } from "@/app/session";
import { Toaster } from "@/components/ui/toast";
import { TooltipProvider } from "@/components/ui/tooltip";
import { followTheme } from "@/lib/theme";
import { router } from "./router";
import "./styles.css";

followTheme();
onLeave((to) => {
  const next = safeNext(router.state.location.href);
  const search = to === "/" || next === "/" ? {} : { next };
  void router.navigate({ to, search, replace: true, ignoreBlocker: true });
});

const element = document.getElementById("root");
if (element !== null) {
  createRoot(element).render(
    <StrictMode>
      <CSPProvider disableStyleElements>
        <QueryClientProvider client={queryClient}>
          <TooltipProvider delay={450}>
            <RouterProvider router={router} />
            <Toaster />
          </TooltipProvider>
        </QueryClientProvider>
      </CSPProvider>
    </StrictMode>,
  );
}
