import type { Project, ProjectChange, ProjectSettings } from "@/api/types";
import { type Command, command, linesOf } from "./commands";
import type { NetworkDraft } from "./network";
import { draft, type Draft as Step, stepsOf } from "./pipeline";

/** A project's settings as the form holds them, each field by itself. */
export interface ProjectDraft
  extends Omit<ProjectSettings, "verifyCommands" | "setUp" | "pipeline" | "network"> {
  name: string;
  verifyCommands: Command[];
  setUp: Command[];
  pipeline: Step[];
  policy: NetworkDraft["policy"];
  registries: boolean;
  hosts: string;
}

export function draftOf({ name, settings }: Project): ProjectDraft {
  const { network, ...rest } = settings;
  return {
    ...rest,
    name,
    verifyCommands: settings.verifyCommands.map(command),
    setUp: settings.setUp.map(command),
    pipeline: settings.pipeline.map(draft),
    policy: network.policy,
    registries: network.registries,
    hosts: network.hosts.join("\n"),
  };
}

const hostsOf = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
/** The list with one more host. */
export const withHost = (hosts: string, host: string) => (hosts ? `${hosts}\n${host}` : host);

/** What is sent of a project: the fields that are to become others. */
export function changeOf(fields: Partial<ProjectDraft>): ProjectChange {
  const { name, verifyCommands, setUp, pipeline, policy, registries, hosts, ...rest } = fields;
  const network = {
    ...(policy === undefined ? {} : { policy }),
    ...(registries === undefined ? {} : { registries }),
    ...(hosts === undefined ? {} : { hosts: hostsOf(hosts) }),
  };
  const settings = {
    ...rest,
    ...(verifyCommands === undefined ? {} : { verifyCommands: linesOf(verifyCommands) }),
    ...(setUp === undefined ? {} : { setUp: linesOf(setUp) }),
    ...(pipeline === undefined ? {} : { pipeline: stepsOf(pipeline) }),
    ...(Object.keys(network).length === 0 ? {} : { network }),
  };
  return {
    ...(name === undefined ? {} : { name: name.trim() }),
    ...(Object.keys(settings).length === 0 ? {} : { settings }),
  };
}
