import { get } from '../api/client';
import type { Schemas } from '../api/schema';
import type { Series } from '../charts/series';
import type { Point } from '../charts/Sparkline';

export type MetricsLine = Schemas['MetricsLine'];

/**
 * Continues the lines of a run with those of its last known step and later: a step's validation and checkpoint may follow its first line.
 * Null when the received lines do not continue the known ones: the run has resumed from a checkpoint, after which the file was cut.
 */
export function continueLines(known: readonly MetricsLine[], received: readonly MetricsLine[]): MetricsLine[] | null {
    const last = known.at(-1)!.step;
    const kept = known.filter(line => line.step < last);
    const same = known.slice(kept.length).every((line, i) => JSON.stringify(line) === JSON.stringify(received[i]));
    return same ? [...kept, ...received] : null;
}

/** Reads the metrics of a run: all of them once, then those that were added. */
export function metricsReader(run: string): (abort: AbortSignal) => Promise<readonly MetricsLine[]> {
    let lines: readonly MetricsLine[] = [];
    let received: readonly MetricsLine[] | undefined;
    return async abort => {
        const last = lines.at(-1)?.step;
        const query = last === undefined ? {} : { afterStep: last - 1 };
        const next = await get('/api/runs/{run}/metrics', { path: { run }, query }, abort);
        // The very object of the call before: nothing was added.
        if (next === received) return lines;
        received = next;
        lines = last === undefined ? next : continueLines(lines, next) ?? await get('/api/runs/{run}/metrics', { path: { run } }, abort);
        return lines;
    };
}

/** Points of one of the measurements, at the lines that have it. */
export function pointsOf(lines: readonly MetricsLine[], value: (line: MetricsLine) => number | undefined, scale = 1): Point[] {
    const points: Point[] = [];
    for (const line of lines) {
        const y = value(line);
        if (y !== undefined) points.push({ x: line.step, y: y * scale });
    }
    return points;
}

/** Step of the lowest validation loss after the base model's; undefined before the first validation. */
export function bestStep(lines: readonly MetricsLine[]): number | undefined {
    let best: { step: number; loss: number } | undefined;
    for (const { step, validation } of lines)
        if (step > 0 && validation && (best === undefined || validation.loss < best.loss)) best = { step, loss: validation.loss };
    return best?.step;
}

/** Curves of the losses on one axis, with the base model's as a line. */
export function lossSeries(lines: readonly MetricsLine[]): Series[] {
    return [
        { label: 'training', colour: 1, points: pointsOf(lines, line => line.loss) },
        { label: 'validation', colour: 2, isMeasuredSeldom: true, points: pointsOf(lines, line => line.validation?.loss) },
        levelSeries('base model', lines, line => (line.step === 0 ? line.validation?.loss : undefined)),
    ];
}

/** A measurement as a level line over all steps, at the first line that has it. */
export function levelSeries(label: string, lines: readonly MetricsLine[], value: (line: MetricsLine) => number | undefined): Series {
    const level = lines.map(value).find(one => one !== undefined);
    const last = lines.at(-1)?.step ?? 0;
    return {
        label, colour: 3, dashed: true, points: level === undefined || last === 0 ? [] : [{ x: 0, y: level }, { x: last, y: level }],
    };
}
