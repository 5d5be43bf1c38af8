import type { Point } from './Sparkline';

/** A curve of a chart. */
export interface Series {
    label: string;
    /** In ascending order of x. */
    points: readonly Point[];
    /** Number of the theme's series colour, from 1 to 6. */
    colour: 1 | 2 | 3 | 4;
    /** True for reference lines, which are drawn dashed. */
    dashed?: boolean | undefined;
    /** True for values between which lie many steps: they are not smoothed, and drawn as points too. */
    isMeasuredSeldom?: boolean | undefined;
}

/** Shared x values, then the values of each series at them; undefined where a series has none. */
type Aligned = [readonly number[], ...(readonly (number | undefined)[])[]];

/** Brings curves with different steps onto the same x values. */
export function alignSeries(series: readonly Series[]): Aligned {
    const xs = [...new Set(series.flatMap(one => one.points.map(point => point.x)))].sort((a, b) => a - b);
    const index = new Map(xs.map((x, i) => [x, i]));
    return [xs, ...series.map(one => {
        const values = Array.from<number | undefined>({ length: xs.length });
        for (const point of one.points) values[index.get(point.x)!] = point.y;
        return values;
    })];
}

/** Returns the value at an index, or the last one before it; undefined when there is none. */
export function valueUpTo(values: readonly (number | undefined)[], index: number): number | undefined {
    for (let i = index; i >= 0; i--) {
        const value = values[i];
        if (value !== undefined) return value;
    }
    return undefined;
}

/** Selects rows of a table at even distances, the first and the last always. */
export function tableRows(count: number, limit = 50): number[] {
    if (count <= limit) return Array.from({ length: count }, (_, i) => i);
    return Array.from({ length: limit }, (_, i) => Math.round((i * (count - 1)) / (limit - 1)));
}

/** Describes a chart in a sentence for those who do not see it. */
export function describe(title: string, series: readonly Series[], format: (value: number) => string): string {
    const parts = series.map(one => {
        const first = one.points[0]!;
        const last = one.points.at(-1)!;
        if (one.dashed || one.points.length === 1) return `${one.label} ${format(last.y)}`;
        const lowest = one.points.reduce((low, point) => (point.y < low.y ? point : low));
        const course = `from ${format(first.y)} to ${format(last.y)} at step ${last.x}`;
        return `${one.label} ${course}, lowest ${format(lowest.y)} at step ${lowest.x}`;
    });
    return `${title}: ${parts.join('; ')}`;
}
