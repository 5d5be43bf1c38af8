import { describe, expect, it } from 'vitest';
import { chartsOf, markersOf } from '../../src/views/run-curves';
import { bestStep, continueLines, lossSeries, type MetricsLine, metricsReader } from '../../src/views/run-metrics';
import { fakeApi, jsonl } from '../fakes';

const line = (step: number, more: Partial<MetricsLine> = {}): MetricsLine => ({ step, epoch: step / 10, seconds: step, ...more });
const validation = (step: number, loss: number) => line(step, { validation: { loss, samples: 4, generated: 0 } });

describe('continueLines', () => {
    const known = [line(1), line(2, { loss: 3 })];

    it('adds what follows the last step, a validation of that step included', () => {
        expect(continueLines(known, [line(2, { loss: 3 }), validation(2, 4), line(3)]))
            .toEqual([line(1), line(2, { loss: 3 }), validation(2, 4), line(3)]);
    });

    it('refuses lines of a run that has resumed from an earlier step', () => {
        expect(continueLines(known, [])).toBeNull();
        expect(continueLines(known, [line(2, { loss: 3.5 }), line(3)])).toBeNull();
    });
});

describe('metricsReader', () => {
    const abort = new AbortController().signal;

    it('asks for the last step and later, and reads everything anew after a resume', async () => {
        let lines = [line(1), line(2)];
        const sent = fakeApi({
            'GET /api/runs/first/metrics': ({ query }) => {
                const after = query.get('afterStep');
                return jsonl(after === null ? lines : lines.filter(one => one.step > Number(after)));
            },
        });
        const read = metricsReader('first');
        expect(await read(abort)).toEqual(lines);
        lines = [...lines, line(3)];
        expect(await read(abort)).toEqual(lines);
        expect(sent.map(({ query }) => query.get('afterStep'))).toEqual([null, '1']);

        lines = [line(1)];
        expect(await read(abort)).toEqual(lines);
        expect(sent.slice(2).map(({ query }) => query.get('afterStep'))).toEqual(['2', null]);
    });

    it('begins again while there are no lines', async () => {
        const sent = fakeApi({ 'GET /api/runs/first/metrics': () => jsonl([]) });
        const read = metricsReader('first');
        await read(abort);
        expect(await read(abort)).toEqual([]);
        expect(sent.map(({ query }) => query.get('afterStep'))).toEqual([null, null]);
    });
});

describe('curves', () => {
    const lines = [
        validation(0, 5), line(1, { loss: 4, gpuBytes: 7e9 }), line(2, { loss: 3 }), validation(2, 2), line(2, { checkpoint: true }),
        validation(3, 2.5),
    ];

    it('have the losses and the base model on one axis', () => {
        expect(lossSeries(lines).map(series => [series.label, series.points])).toEqual([
            ['training', [{ x: 1, y: 4 }, { x: 2, y: 3 }]],
            ['validation', [{ x: 0, y: 5 }, { x: 2, y: 2 }, { x: 3, y: 2.5 }]],
            ['base model', [{ x: 0, y: 5 }, { x: 3, y: 5 }]],
        ]);
    });

    it('mark checkpoints and the best step, which the base model is not', () => {
        expect(bestStep(lines)).toBe(2);
        expect(bestStep([validation(0, 1)])).toBeUndefined();
        expect(markersOf(lines).map(({ x, kind }) => [x, kind])).toEqual([[2, 'tick'], [2, 'line']]);
    });

    it('have one chart a field that was measured, with its baseline', () => {
        const weight = { kind: 'number' as const, samples: 4, answered: { withinTenPercent: 0.5 }, baseline: { withinTenPercent: 0.25 } };
        const measured = line(3, { validation: { loss: 2, samples: 4, generated: 4, titleF1: 0.75, fields: { weight } } });
        expect(chartsOf([...lines, measured])).toHaveLength(5);
        const charts = chartsOf([...lines, measured, { ...measured, step: 4 }]).slice(5);
        expect(charts.map(chart => [chart.title, ...chart.series.map(series => series.points)])).toEqual([
            ['Title word F1', [{ x: 3, y: 0.75 }, { x: 4, y: 0.75 }], []],
            ['Weight within 10 %', [{ x: 3, y: 0.5 }, { x: 4, y: 0.5 }], [{ x: 0, y: 0.25 }, { x: 4, y: 0.25 }]],
        ]);
    });

    it('leave out what was not measured', () => {
        expect(chartsOf(lines).map(chart => chart.title)).toEqual(['Loss', 'Learning rate', 'Gradient norm', 'Throughput', 'Memory']);
    });
});
