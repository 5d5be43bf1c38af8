/** Something that an orchestration called or waited for, with times in milliseconds since 1970. */
export interface Span {
    kind: 'activity' | 'subOrchestration' | 'timer' | 'event';
    name: string;
    start: number;
    /** Undefined while in progress. */
    end: number | undefined;
    error: string | undefined;
    /** 1 for the first call, higher for retries. */
    attempt: number;
    /** Instance id of a sub-orchestration. */
    instance: string | undefined;
}

/** A line of bars. */
export interface Lane {
    key: string;
    kind: Span['kind'];
    name: string;
    /** Sub-orchestration that the lane can be opened to; undefined for other kinds. */
    instance: string | undefined;
    /** Rows of spans that do not overlap. */
    rows: Span[][];
    spans: Span[];
}

/**
 * Groups spans: all calls of an activity share a lane, all waiting has one, and every sub-orchestration has its own. Calls at the same time
 * lie in rows below each other.
 */
export function lanesOf(spans: readonly Span[]): Lane[] {
    const lanes = new Map<string, Lane>();
    for (const span of spans) {
        const waits = span.kind === 'timer';
        const key = `${span.kind} ${waits ? '' : span.instance ?? span.name}`;
        let lane = lanes.get(key);
        if (!lane) {
            lane = { key, kind: span.kind, name: waits ? 'Waiting' : span.name, instance: span.instance, rows: [], spans: [] };
            lanes.set(key, lane);
        }
        lane.spans.push(span);
        const free = lane.rows.find(row => (row.at(-1)!.end ?? Infinity) <= span.start);
        if (free) free.push(span);
        else lane.rows.push([span]);
    }
    return [...lanes.values()];
}

/** Milliseconds that at least one of the spans covers. */
export function coveredTime(spans: readonly Span[], now: number): number {
    let covered = 0;
    let until = -Infinity;
    for (const { start, end = now } of spans.toSorted((a, b) => a.start - b.start)) {
        covered += Math.max(0, end - Math.max(start, until));
        until = Math.max(until, end);
    }
    return covered;
}

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400].map(seconds => 1000 * seconds);

/** Marks of a time axis in milliseconds since its beginning, no more than so many. */
export function timeTicks(duration: number, limit = 8): number[] {
    const step = steps.find(one => duration / one < limit) ?? steps.at(-1)! * Math.ceil(duration / steps.at(-1)! / limit);
    return Array.from({ length: Math.floor(duration / step) + 1 }, (_, i) => i * step);
}
