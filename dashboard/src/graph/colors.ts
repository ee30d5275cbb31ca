/** Colours of the page for what is drawn rather than styled. */

import type { VertexFlow } from "../api/types";
import { share } from "./flow";

type Rgb = readonly [number, number, number];

export class Colors {
  private readonly style = getComputedStyle(document.documentElement);
  private readonly known = new Map<string, string>();
  private readonly mixed = new Map<number, string>();

  /** The colour that a name such as `--text` stands for. */
  of(name: string): string {
    let color = this.known.get(name);
    if (color === undefined) {
      color = this.style.getPropertyValue(name).trim() || "#888888";
      this.known.set(name, color);
    }
    return color;
  }

  /** As `loadColor`. */
  load(flow: VertexFlow | null): string {
    const [busy, waits] = [share(flow?.busy?.max), share(flow?.backpressured?.max)];
    const key = busy * 101 + waits;
    let color = this.mixed.get(key);
    if (color === undefined) {
      const base = mix(parse(this.of("--load-idle")), parse(this.of("--load-busy")), busy / 100);
      color = `rgb(${mix(base, parse(this.of("--load-waits")), waits / 100)
        .map(Math.round)
        .join(" ")})`;
      this.mixed.set(key, color);
    }
    return color;
  }
}

/** The parts of `#rrggbb`, or of `#rgb`. */
export function parse(color: string): Rgb {
  const digits = color.slice(1);
  const value = Number.parseInt(digits.length === 3 ? digits.replace(/./g, "$&$&") : digits, 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

/** So much of the other colour in the one. */
export function mix(one: Rgb, other: Rgb, part: number): Rgb {
  const at = (index: 0 | 1 | 2) => one[index] + (other[index] - one[index]) * part;
  return [at(0), at(1), at(2)];
}
