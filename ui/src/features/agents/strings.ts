/** What the page of the agents says of what waits. */
export const agents = {
  queue: "Queue",
  queueLead: "What waits, of everybody, in the order in which it begins, and why it waits.",
  position: (n: number) => `Number ${n} in the queue`,
  backlog: "Auto mode will take it",
  orders: "Auto modes",
  ordersLead: "Everybody's auto modes that are switched on or paused.",
  stop: "Stop",
  stopOf: (name: string, project: string) => `Stop auto mode of ${name} in ${project}`,
  ask: (name: string) => `Stop auto mode of ${name}?`,
  what: "What is at work is finished; what rests is stopped and goes on when it is asked to.",
  confirm: "Stop it",
  stopped: (name: string) => `Auto mode of ${name} is off`,
  atOnce: (n: number) => `${n} at once at most`,
  more: (n: number) => (n === 1 ? "And one more, on its board." : `And ${n} more, on their boards.`),
};
