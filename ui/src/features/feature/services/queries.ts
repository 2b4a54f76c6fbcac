import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMay, useMe } from "@/api/queries";
import type { Run, Service } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { v } from "./strings";

/** Statuses of a run during which an agent has, or is about to get, the worktree. */
const AT_WORK = ["queued", "running"];

export const isAtWork = (run: Run) => AT_WORK.includes(run.status);
/** Whether a run has a worktree, as far as the page knows. */
export const hasWorktree = (run: Run | undefined): run is Run =>
  run !== undefined && run.baseCommit !== null && run.status !== "closed";

/** Whether this member may start services and open terminals in a run's worktree: whoever started it may, and admins. */
export function useMayEnter(run: Run | undefined): boolean {
  const me = useMe().data;
  const mayRun = useMay("run");
  const mayManage = useMay("administer");
  return run !== undefined && mayRun && (me?.id === run.memberId || mayManage);
}

const services = (runId: string) =>
  queryOptions({
    queryKey: keys.services(runId),
    queryFn: async () => (await api.services(runId)).items,
    staleTime: Number.POSITIVE_INFINITY,
  });

/** The services of a run, kept in step by the socket. */
export const useServices = (runId: string | undefined) =>
  useQuery({ ...services(runId ?? ""), enabled: runId !== undefined });

/** The end of what a service printed that has ended, or prints on where the page came too late. */
/** What is kept of a log; asked for anew when the page lacks another part of what is printed. */
export const useServiceLog = (service: Service, enabled: boolean, missing = 0) =>
  useQuery({
    queryKey: [...keys.services(service.runId), "log", service.id, service.status, missing],
    queryFn: async () => (await api.serviceLog(service.runId, service.name)).text,
    staleTime: Number.POSITIVE_INFINITY,
    enabled,
  });

/** Puts a service into the list, in the place of the former of its name. */
export function placeService(list: Service[] | undefined, service: Service): Service[] | undefined {
  if (list === undefined) return undefined;
  const others = list.filter((entry) => entry.name !== service.name);
  const before = list.find((entry) => entry.name === service.name);
  // What comes late of a former one of this name is old.
  if (before !== undefined && Date.parse(before.startedAt) > Date.parse(service.startedAt)) return list;
  return [...others, service].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function useStartService(runId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (wish: { name: string; command: string; port?: number }) => api.startService(runId, wish),
    onSuccess: (service) =>
      client.setQueryData<Service[]>(keys.services(runId), (list) => placeService(list, service)),
  });
}

export function useStopService() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (service: Service) => api.stopService(service.runId, service.name),
    onSuccess: (service) =>
      client.setQueryData<Service[]>(keys.services(service.runId), (list) => placeService(list, service)),
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
}

/** Opens the pages of a service in a tab of their own, on their own origin. */
export function useOpenPages() {
  return useMutation({
    mutationFn: async (service: Service) => {
      // A browser lets a tab be opened only in the moment of the click; its address comes later.
      const tab = window.open("", "_blank");
      try {
        const { url } = await api.openPreview(service.runId, service.name);
        if (tab === null) return false;
        tab.opener = null;
        tab.location.replace(url);
        return true;
      } catch (error) {
        tab?.close();
        throw error;
      }
    },
    onSuccess: (opened) => {
      if (!opened) toast.done(v.blocked);
    },
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
}
