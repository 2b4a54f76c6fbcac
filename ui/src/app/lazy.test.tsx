import { act, render, screen } from "@testing-library/react";
import { Component, type ReactNode, Suspense } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { forgetFailures, isMissingScript, lazyView } from "./lazy";

class Boundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state = { error: null as unknown };
  static getDerivedStateFromError = (error: unknown) => ({ error });
  override render() {
    return this.state.error === null ? this.props.children : <p>{String(this.state.error)}</p>;
  }
}

const gone = new TypeError("Failed to fetch dynamically imported module: http://localhost/assets/team.js");
const show = async (View: () => ReactNode, key: string) => {
  const page = (
    <Boundary key={key}>
      <Suspense fallback="…">
        <View />
      </Suspense>
    </Boundary>
  );
  return page;
};

describe("a view whose script is fetched when it is needed", () => {
  afterEach(() => vi.restoreAllMocks());

  it("shows that it could not be fetched, leaves the page as it is, and comes when it is tried again", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const reload = vi.spyOn(window.location, "reload").mockImplementation(() => {});
    let there = false;
    const load = vi.fn(async () => {
      if (!there) throw gone;
      return { default: () => <p>Here it is</p> };
    });
    const View = lazyView(load);
    const shown = render(<p />);
    await act(async () => shown.rerender(await show(View, "first")));
    expect(await screen.findByText(/Failed to fetch/)).toBeTruthy();
    expect(reload).not.toHaveBeenCalled();
    expect(load).toHaveBeenCalledTimes(1);

    there = true;
    forgetFailures();
    await act(async () => shown.rerender(await show(View, "again")));
    expect(await screen.findByText("Here it is")).toBeTruthy();
  });

  it("fetches it once, however often it is asked for", async () => {
    const load = vi.fn(async () => ({ default: () => <p>Once</p> }));
    const View = lazyView(load);
    await Promise.all([View.preload(), View.preload()]);
    await View.preload();
    expect(load).toHaveBeenCalledTimes(1);
  });

  it("tells a missing script from other faults", () => {
    expect(isMissingScript(gone)).toBe(true);
    expect(isMissingScript(new TypeError("undefined is not a function"))).toBe(false);
  });
});
