import { render, screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { PlotTable } from "./plot-table";
import type { Plot } from "./series";

it("says from when on it is too much, also of what is drawn too far below for a line", () => {
  const plot: Plot = {
    unit: "millis",
    times: ["2026-11-26T04:00:00Z"],
    adds: false,
    series: [{ key: "n", name: "one", values: [2], highest: 10 }],
  };
  const marks = [
    { level: "warning" as const, value: 500 },
    { level: "critical" as const, value: 2_000 },
  ];
  render(<PlotTable plot={plot} marks={marks} what="Database's answer" />);
  expect(screen.getByText(/^Means of each point/).textContent).toMatch(
    /Warning from 500 ms\. Critical from 2\.0 s\.$/,
  );
});
