let region: HTMLElement | null = null;

/** Says something to screen readers, politely. */
export function announce(text: string) {
  if (region === null || !region.isConnected) {
    region = document.createElement("div");
    region.setAttribute("role", "status");
    region.setAttribute("aria-live", "polite");
    region.className = "sr-only";
    document.body.append(region);
  }
  region.textContent = text;
}
