/** A line of the last values, without axes. */

const WIDTH = 64;
const HEIGHT = 18;

/** The points of the line, from 0 to the greatest value. */
export function sparkPoints(values: readonly number[], width = WIDTH, height = HEIGHT): string {
  if (values.length < 2) return "";
  const most = Math.max(...values, 1e-9);
  const step = width / (values.length - 1);
  return values.map((value, at) => `${(at * step).toFixed(1)},${(height - 1 - (value / most) * (height - 2)).toFixed(1)}`).join(" ");
}

export function Spark({ values }: { values: readonly number[] }) {
  return (
    <svg className="spark" width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      <polyline points={sparkPoints(values)} />
    </svg>
  );
}
