import { useMemo, useRef, useState } from 'preact/hooks';
import { usePolled } from '../api/polling';
import { LineChart, type Marker } from '../charts/LineChart';
import type { Series } from '../charts/series';
import { Loaded } from '../components/Loaded';
import { formatBytes, formatNumber, formatPercent, formatSignificant } from '../format/format';
import { headlinesOf } from '../format/metrics';
import { bestStep, levelSeries, lossSeries, type MetricsLine, metricsReader, pointsOf } from './run-metrics';

const percent = (share: number) => formatPercent(share);

/** Curves of a run, live until it has ended. */
export function Curves({ run, isLive }: { run: string; isLive: boolean }) {
    // Read at each turn: the poll that finds the run ended is the last one, and has its last lines.
    const live = useRef(isLive);
    live.current = isLive;
    const metrics = usePolled(`metrics ${run}`, metricsReader(run), () => (live.current ? 2500 : undefined));
    return <Loaded from={metrics}>{lines => <Charts lines={lines} sync={run} />}</Loaded>;
}

function Charts({ lines, sync }: { lines: readonly MetricsLine[]; sync: string }) {
    const [smoothing, setSmoothing] = useState(0);
    const charts = useMemo(() => chartsOf(lines), [lines]);
    const markers = useMemo(() => markersOf(lines), [lines]);
    const unnamed = useMemo(() => markers.map(marker => ({ ...marker, label: '' })), [markers]);
    return (
        <section aria-labelledby="curves">
            <div class="toolbar">
                <h2 id="curves" class="grow">Curves</h2>
                <label class="smoothing">
                    Smoothing
                    <input type="range" min={0} max={0.99} step={0.01} value={smoothing}
                        onInput={event => setSmoothing(event.currentTarget.valueAsNumber)} />
                    <output>{smoothing.toFixed(2)}</output>
                </label>
            </div>
            <div class="charts">
                {charts.map(({ format = value => formatSignificant(value), ...chart }) => (
                    <div key={chart.title} class={chart.isWide ? 'card chart-wide' : 'card'}>
                        <LineChart {...chart} {...{ format, smoothing, sync }} markers={chart.isWide ? markers : unnamed} />
                    </div>
                ))}
            </div>
            {markers.some(marker => marker.kind === 'tick') && (
                <p class="hint">A tick at the lower edge is a checkpoint. Drag over a chart to see fewer steps.</p>
            )}
        </section>
    );
}

interface Chart {
    title: string;
    unit?: string;
    series: readonly Series[];
    format?: (value: number) => string;
    log?: boolean;
    share?: boolean;
    isWide?: boolean;
}

/** Charts of all that was measured; the first four are there from the start, empty. */
export function chartsOf(lines: readonly MetricsLine[]): Chart[] {
    const one = (label: string, value: (line: MetricsLine) => number | undefined, colour: Series['colour'] = 1): Series =>
        ({ label, colour, points: pointsOf(lines, value) });
    // Of most runs the first evaluation and the last: the one of the base model alone is no curve.
    const measured = lines.flatMap(({ validation }) => (validation?.generated ? [validation] : []));
    const charts: Chart[] = [
        { title: 'Loss', unit: 'nats per answer token', series: lossSeries(lines), log: true, isWide: true },
        { title: 'Learning rate', series: [one('learning rate', line => line.learningRate)], log: true },
        { title: 'Gradient norm', series: [one('gradient norm', line => line.gradNorm)], log: true },
        { title: 'Throughput', unit: 'images/s', series: [one('images/s', line => line.imagesPerSecond)], format: formatNumber },
        { title: 'Throughput, tokens', unit: 'tokens/s', series: [one('tokens/s', line => line.tokensPerSecond)], format: formatNumber },
        {
            title: 'Memory', format: formatBytes,
            series: [one('resident', line => line.residentBytes), one('GPU', line => line.gpuBytes, 2)],
        },
        {
            title: 'Utilization', format: percent, share: true,
            series: [one('GPU busy', line => line.gpuUtilization), one('model FLOP/s', line => line.mfu, 2)],
        },
        ...headlinesOf(measured.length > 1 ? measured : []).map(({ label, format, value, baseline }): Chart => ({
            title: label, unit: 'at validations', format, share: true,
            series: [
                { ...one('fine-tuned', line => line.validation && value(line.validation), 2), isMeasuredSeldom: true },
                levelSeries('baseline', lines, line => line.validation && baseline?.(line.validation)),
            ],
        })),
    ];
    return charts.filter((chart, i) => i < 4 || chart.series.some(series => series.points.length > 0));
}

/** Marks of checkpoints and of the lowest validation loss. */
export function markersOf(lines: readonly MetricsLine[]): Marker[] {
    const best = bestStep(lines);
    return [
        ...lines.filter(line => line.checkpoint).map(line => ({ x: line.step, label: 'checkpoint', kind: 'tick' as const })),
        ...(best === undefined ? [] : [{ x: best, label: `best, step ${best}`, kind: 'line' as const }]),
    ];
}
