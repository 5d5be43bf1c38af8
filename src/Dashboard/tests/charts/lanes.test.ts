import { describe, expect, it } from 'vitest';
import { coveredTime, lanesOf, type Span, timeTicks } from '../../src/charts/lanes';

const span = (name: string, start: number, end: number | undefined, more: Partial<Span> = {}): Span =>
    ({ kind: 'activity', name, start, end, error: undefined, attempt: 1, instance: undefined, ...more });

describe('lanesOf', () => {
    it('puts calls of an activity in one lane, overlapping ones below each other', () => {
        const [a, b, c] = [span('Fetch', 0, 10), span('Fetch', 5, 8), span('Fetch', 9, 20)];
        const lanes = lanesOf([a, b, c]);
        expect(lanes).toHaveLength(1);
        expect(lanes[0]!.rows).toEqual([[a], [b, c]]);
    });

    it('begins a row for a call after one that has not ended', () => {
        expect(lanesOf([span('Fetch', 0, undefined), span('Fetch', 50, 60)])[0]!.rows).toHaveLength(2);
    });

    it('joins all waiting, whatever its name, and keeps sub-orchestrations apart', () => {
        const lanes = lanesOf([
            span('a', 0, 1, { kind: 'timer' }), span('Ingest', 0, 5, { kind: 'subOrchestration', instance: 'x.1' }),
            span('b', 1, 2, { kind: 'timer' }), span('Ingest', 0, 5, { kind: 'subOrchestration', instance: 'x.2' }),
        ]);
        expect(lanes.map(lane => [lane.name, lane.instance, lane.spans.length])).toEqual([
            ['Waiting', undefined, 2], ['Ingest', 'x.1', 1], ['Ingest', 'x.2', 1],
        ]);
    });
});

it('counts time that spans share once, and spans in progress until now', () => {
    expect(coveredTime([span('b', 20, undefined), span('a', 0, 10), span('a', 5, 8), span('a', 9, 12)], 25)).toBe(12 + 5);
});

describe('timeTicks', () => {
    it('has round steps and no more marks than fit', () => {
        expect(timeTicks(45_000)).toEqual([0, 10_000, 20_000, 30_000, 40_000]);
        const durations = [1, 999, 61_000, 3_600_000, 86_400_000, 40 * 86_400_000];
        expect(Math.max(...durations.map(duration => timeTicks(duration).length))).toBeLessThanOrEqual(9);
    });
});
