/** By this, the window in which a member went to a provider tells the one that waits. */
const channel = () => new BroadcastChannel("guildhall.confirmed");

/** Tells the other windows that the member has proved who they are. */
export function tellConfirmed() {
  const line = channel();
  line.postMessage("confirmed");
  line.close();
}

/** Waits for that. Returns how to stop waiting. */
export function onConfirmed(heard: () => void): () => void {
  const line = channel();
  line.onmessage = heard;
  return () => line.close();
}
