import { describe, expect, it } from 'vitest';
import { alignSeries, describe as describeChart, tableRows, valueUpTo, type Series } from '../../src/charts/series';
import { smooth } from '../../src/charts/smooth';
import { sparklinePath } from '../../src/charts/Sparkline';

const series = (label: string, ...points: [number, number][]): Series => ({ label, colour: 1, points: points.map(([x, y]) => ({ x, y })) });

describe('alignSeries', () => {
    it('gives all curves the union of their steps', () => {
        expect(alignSeries([series('a', [1, 10], [3, 30]), series('b', [2, 20], [3, 31])])).toEqual([
            [1, 2, 3], [10, undefined, 30], [undefined, 20, 31],
        ]);
    });

    it('is empty without points', () => {
        expect(alignSeries([series('a')])).toEqual([[], []]);
    });
});

it('finds the value at a step or the last one before it', () => {
    const values = [undefined, 5, undefined, undefined, 7];
    expect(valueUpTo(values, 3)).toBe(5);
    expect(valueUpTo(values, 4)).toBe(7);
    expect(valueUpTo(values, 0)).toBeUndefined();
});

describe('smooth', () => {
    it('begins at the first value rather than at zero and keeps a constant constant', () => {
        expect(smooth([4, 4, 4], 0.9)).toEqual([4, 4, 4].map(value => expect.closeTo(value)));
    });

    it('weighs the past', () => {
        // (0.5·0.5·1 + 0.5·3) / 0.75
        expect(smooth([1, 3], 0.5)).toEqual([1, expect.closeTo(1.75 / 0.75)]);
    });

    it('leaves gaps where they are', () => {
        expect(smooth([2, undefined, 2], 0.5)).toEqual([2, undefined, expect.closeTo(2)]);
    });
});

describe('tableRows', () => {
    it('has all rows of a short table', () => expect(tableRows(3)).toEqual([0, 1, 2]));

    it('thins a long one evenly, with first and last', () => {
        const rows = tableRows(10_000, 50);
        expect(rows).toHaveLength(50);
        expect([rows[0], rows.at(-1)]).toEqual([0, 9999]);
        expect(new Set(rows).size).toBe(50);
    });
});

it('describes curves in words', () => {
    const base = { ...series('base', [0, 5], [3, 5]), dashed: true };
    const text = describeChart('Loss', [series('training', [1, 4], [2, 1], [3, 2]), base], String);
    expect(text).toBe('Loss: training from 4 to 2 at step 3, lowest 1 at step 2; base 5');
});

describe('sparklinePath', () => {
    it('spans the box from corner to corner', () => {
        expect(sparklinePath([{ x: 0, y: 1 }, { x: 10, y: 0 }])).toBe('M2.0 2.0L118.0 26.0');
    });

    it('draws a constant in the middle, a single point as a line, nothing as nothing', () => {
        expect(sparklinePath([{ x: 0, y: 1 }, { x: 1, y: 1 }])).toBe('M2.0 14.0L118.0 14.0');
        expect(sparklinePath([{ x: 5, y: 1 }])).toBe('M2 14H118');
        expect(sparklinePath([])).toBe('');
    });
});
