import { describe, expect, it } from "vitest";
import { admit, encoded, MOST } from "./files";

const file = (name: string, size: number, type = "text/plain") =>
  new File([new Uint8Array(size).fill(97)], name, { type });
const MIB = 1024 * 1024;

describe("files of a message", () => {
  it("are bounded in number, by themselves and together", () => {
    const many = Array.from({ length: MOST + 1 }, (_, n) => file(`${n}.txt`, 1));
    const admitted = admit(many.slice(0, 1), many);
    expect([admitted.files.length, admitted.refused.length]).toEqual([MOST - 1, 2]);
    const large = [
      file("a.txt", 5 * MIB),
      file("b.txt", 4 * MIB),
      file("c.txt", 2 * MIB),
      file("d.txt", MIB),
    ];
    const { files, refused } = admit([], large);
    expect(files.map(({ name }) => name)).toEqual(["a.txt", "b.txt", "d.txt"]);
    expect(refused).toHaveLength(1);
    expect(refused[0]).toContain("c.txt");
    expect(admit([], [file("a.png", 4 * MIB, "image/png")]).refused[0]).toContain("3.75 MiB");
  });

  it("are sent in base64", async () => {
    expect(await encoded([new File(["Größe"], "a.txt")])).toEqual([{ name: "a.txt", data: "R3LDtsOfZQ==" }]);
  });
});
