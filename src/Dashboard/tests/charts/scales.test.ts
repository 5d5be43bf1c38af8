import { describe, expect, it } from 'vitest';
import { fillBins } from '../../src/charts/Histogram';
import { axisRange, axisTicks, nearestPoint } from '../../src/charts/NumberScatter';

it('puts empty bins back between the edges 1, 2, 5, 10, …', () => {
    expect(fillBins([{ from: 0, to: 1, count: 3 }, { from: 5, to: 10, count: 1 }, { from: 20, to: 50, count: 2 }])).toEqual([
        { from: 0, to: 1, count: 3 }, { from: 1, to: 2, count: 0 }, { from: 2, to: 5, count: 0 }, { from: 5, to: 10, count: 1 },
        { from: 10, to: 20, count: 0 }, { from: 20, to: 50, count: 2 },
    ]);
});

describe('numbers', () => {
    it('range over true and answered ones, without those a logarithmic axis has no place for', () => {
        const [low, high] = axisRange([
            { key: 'a', truth: 10, answered: 1000 }, { key: 'b', truth: 0, answered: undefined }, { key: 'c', truth: 20, answered: -5 },
        ]);
        expect(low).toBeCloseTo(0.9);
        expect(high).toBeCloseTo(3.1);
    });

    it('have ticks within the axis only', () => {
        expect(axisTicks(0.9, 3.1)).toEqual([10, 20, 50, 100, 200, 500, 1000]);
        expect(axisTicks(0, 4)).toEqual([1, 10, 100, 1000, 10000]);
    });

    it('are found by the nearest point within reach', () => {
        expect(nearestPoint([[0, 0], [10, 10], [11, 11]], 12, 12, 5)).toBe(2);
        expect(nearestPoint([[0, 0]], 12, 12, 5)).toBeUndefined();
    });
});
