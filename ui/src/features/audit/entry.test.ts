import { describe, expect, it } from "vitest";
import { nobodyOf } from "./entry";

describe("who did what no member did", () => {
  it("is the server where nobody was connected", () => {
    expect(nobodyOf({ address: null, userAgent: null })).toBe("Guildhall");
  });
  it("is somebody who had not signed in where there was a connection", () => {
    expect(nobodyOf({ address: "203.0.113.7", userAgent: null })).toBe("Not signed in");
  });
});
