/** What the limits of the team are called, and what happens at each. */
export const limits = {
  title: "Limits",
  lead: "What agents may take, for each member and for the team. A change holds at once, for runs at work too.",
  saved: "Limits saved",
  number: "Give a whole number.",
  parts: {
    atOnce: {
      title: "At once",
      fields: {
        maxConcurrentFeaturesPerMember: { label: "Cards of one member", help: "More wait in the queue." },
        maxConcurrentChatsPerMember: {
          label: "Chats of one member",
          help: "Answers that are being written.",
        },
        maxConcurrentTasksPerMember: { label: "Tasks of one member", help: "Agents that run by themselves." },
        maxConcurrentFeatures: { label: "The whole team", help: "Cards, chats and tasks together." },
        maxWorktreesPerMember: {
          label: "Worktrees of one member",
          help: "Cards that were started and are neither completed nor taken back. Beyond it, no new card is started.",
        },
      },
    },
    machine: {
      title: "The machine",
      fields: {
        maxMemoryMbPerMember: {
          label: "Memory of one member, in MB",
          help: "For all commands on a server together, in equal parts. What needs more is killed, alone, and says so.",
        },
        maxProcessesPerMember: {
          label: "Processes of one member",
          help: "With their threads. Beyond it, no more can be started.",
        },
        maxDiskMbPerWorktree: {
          label: "Disk of one worktree, in MB",
          help: "With all that is built in it. A command that lets it grow further is ended.",
        },
      },
    },
    run: {
      title: "One run",
      fields: {
        maxTurns: { label: "Turns", help: "Model calls since somebody last said something." },
        maxMinutes: { label: "Minutes", help: "At work, without the waits in the queue." },
        maxCostMicros: { label: "Dollars", help: "At this it waits, and asks for more." },
      },
    },
  },
};
