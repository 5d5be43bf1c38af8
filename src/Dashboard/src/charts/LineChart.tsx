import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatInteger, formatSignificant } from '../format/format';
import { palette } from './palette';
import { alignSeries, describe, tableRows, valueUpTo, type Series } from './series';
import { smooth } from './smooth';
import './charts.css';

export interface Marker {
    x: number;
    label: string;
    /** A line through the chart with its label, or a tick at its lower edge. */
    kind: 'line' | 'tick';
}

interface Props {
    title: string;
    /** Explanation beside the title, such as the unit. */
    unit?: string;
    series: readonly Series[];
    markers?: readonly Marker[];
    /** Weight of the past in the smoothed curves, from 0 to below 1. */
    smoothing?: number;
    /** Charts with the same name share their crosshair and range. */
    sync?: string;
    /** True to offer a logarithmic axis. */
    log?: boolean;
    /** True for shares, whose axis goes from 0 to 1. */
    share?: boolean;
    format?: (value: number) => string;
}

// One array for all, so that a chart without markers is not drawn again at every move of the crosshair.
const noMarkers: readonly Marker[] = [];
const rawOpacity = 0.3;

/**
 * Curves over the steps of a run: crosshair with values, legend whose buttons hide curves, zoom by dragging, logarithmic axis. The
 * crosshair is a slider for the keyboard; a table has the numbers. uPlot thins the points to the pixels, so that 10,000 steps stay smooth.
 */
export function LineChart(
    { title, unit, series, markers = noMarkers, smoothing = 0, sync, log, share, format = formatSignificant }: Props,
) {
    const host = useRef<HTMLDivElement>(null);
    const plot = useRef<uPlot | undefined>(undefined);
    const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
    const [logarithmic, setLogarithmic] = useState(false);
    const [cursor, setCursor] = useState<number | null>(null);
    const [zoomed, setZoomed] = useState(false);

    const shown = useMemo(() => series.filter(one => one.points.length > 0), [series]);
    const aligned = useMemo(() => alignSeries(shown), [shown]);
    const data = useMemo(() => withSmoothed(aligned, shown, smoothing), [aligned, shown, smoothing]);
    const steps = aligned[0];
    const empty = steps.length === 0;
    // uPlot takes its series at its creation; new points need no new chart.
    const structure = JSON.stringify([shown.map(one => [one.label, one.colour, one.dashed]), smoothing > 0, logarithmic, empty]);

    const latest = useRef({ markers, hidden, format });
    latest.current = { markers, hidden, format };

    useEffect(() => {
        const element = host.current;
        if (element === null || empty) return;
        const chart = new uPlot(
            options(element, shown, smoothing > 0, share ? { range: [0, 1] } : { distr: logarithmic ? 3 : 1 }, sync, latest, {
                cursor: index => setCursor(index),
                range: chart => setZoomed(isZoomed(chart)),
            }),
            data as uPlot.AlignedData,
            element);
        plot.current = chart;
        applyHidden(chart, shown, hidden);
        const resize = new ResizeObserver(() => {
            if (element.clientWidth > 0) chart.setSize({ width: element.clientWidth, height: chart.height });
        });
        resize.observe(element);
        return () => {
            resize.disconnect();
            chart.destroy();
            plot.current = undefined;
        };
    }, [structure, sync]);

    useEffect(() => {
        const chart = plot.current;
        if (chart && chart.data !== (data as uPlot.AlignedData)) chart.setData(data as uPlot.AlignedData, !isZoomed(chart));
    }, [data]);

    useEffect(() => { if (plot.current) applyHidden(plot.current, shown, hidden); }, [hidden]);

    const colours = palette.value;
    useEffect(() => plot.current?.redraw(false), [markers, colours]);

    const index = cursor ?? steps.length - 1;
    const moveTo = (to: number) => {
        const chart = plot.current;
        if (!chart) return;
        const x = steps[to]!;
        chart.setCursor({ left: chart.valToPos(x, 'x'), top: chart.over.clientHeight / 2 });
        setCursor(to);
    };
    const toggle = (label: string) => setHidden(before => {
        const after = new Set(before);
        if (!after.delete(label)) after.add(label);
        return after;
    });
    const valueAt = (one: number) => valueUpTo(aligned[one + 1]!, index);

    return (
        <figure class="chart">
            <figcaption class="chart-head">
                <h3>{title}{unit && <span class="muted"> {unit}</span>}</h3>
                {zoomed && (
                    <button type="button" class="small" onClick={() => wholeRange(sync ? uPlot.sync(sync).plots : [plot.current!])}>
                        All steps
                    </button>
                )}
                {log && (
                    <button type="button" class="small" aria-pressed={logarithmic} onClick={() => setLogarithmic(!logarithmic)}>Log</button>
                )}
            </figcaption>
            {empty ? <p class="chart-empty muted">Nothing measured yet</p> : (
                <>
                    <div class="chart-plot" ref={host} role="img" aria-label={describe(title, shown, format)} />
                    <input
                        class="chart-cursor" type="range" min={0} max={steps.length - 1} value={index} aria-label={`${title}: step`}
                        aria-valuetext={[`step ${formatInteger(steps[index] ?? 0)}`, ...shown.map((one, i) => {
                            const value = valueAt(i);
                            return `${one.label} ${value === undefined ? 'none' : format(value)}`;
                        })].join(', ')}
                        onInput={event => moveTo(event.currentTarget.valueAsNumber)}
                    />
                    <div class="chart-legend">
                        <span class="chart-step">{cursor === null ? 'last' : 'step'} {formatInteger(steps[index] ?? 0)}</span>
                        {shown.map((one, i) => {
                            const value = valueAt(i);
                            return (
                                <button
                                    key={one.label} type="button" class="chart-key" aria-pressed={!hidden.has(one.label)}
                                    onClick={() => toggle(one.label)}
                                >
                                    <svg width="18" height="8" aria-hidden="true" class={`series-${one.colour}`}>
                                        <line x1="0" x2="18" y1="4" y2="4" stroke-dasharray={one.dashed ? '4 3' : undefined} />
                                    </svg>
                                    {one.label} <strong>{value === undefined ? '–' : format(value)}</strong>
                                </button>
                            );
                        })}
                    </div>
                    <ChartTable title={title} steps={steps} aligned={aligned} series={shown} format={format} />
                </>
            )}
        </figure>
    );
}

function ChartTable({ title, steps, aligned, series, format }: {
    title: string;
    steps: readonly number[];
    aligned: readonly (readonly (number | undefined)[])[];
    series: readonly Series[];
    format: (value: number) => string;
}) {
    const [open, setOpen] = useState(false);
    return (
        <details class="chart-table" onToggle={event => setOpen(event.currentTarget.open)}>
            <summary>Table</summary>
            {open && (
                <div class="table-scroll" tabIndex={0} role="region" aria-label={`${title}, table`}>
                    <table>
                        <thead>
                            <tr><th scope="col">Step</th>{series.map(one => <th key={one.label} scope="col">{one.label}</th>)}</tr>
                        </thead>
                        <tbody>
                            {tableRows(steps.length).map(row => (
                                <tr key={row}>
                                    <th scope="row">{formatInteger(steps[row]!)}</th>
                                    {series.map((one, i) => {
                                        const value = valueUpTo(aligned[i + 1]!, row);
                                        return <td key={one.label}>{value === undefined ? '' : format(value)}</td>;
                                    })}
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </details>
    );
}

/** Follows every curve by its smoothed form; without smoothing the curves alone. */
function withSmoothed(aligned: ReturnType<typeof alignSeries>, series: readonly Series[], weight: number) {
    if (weight === 0) return aligned;
    return [aligned[0], ...series.flatMap((one, i) => {
        const values = aligned[i + 1]!;
        return [values, isSmoothed(one) ? smooth(values, weight) : values];
    })];
}

const isSmoothed = (one: Series) => !one.dashed && !one.isMeasuredSeldom;

const isZoomed = (chart: uPlot) => {
    const steps = chart.data[0];
    const { min, max } = chart.scales['x']!;
    return typeof min === 'number' && typeof max === 'number' && steps.length > 1 && (min > steps[0]! || max < steps.at(-1)!);
};

/** Shows all steps of charts again, of all that share a range. */
function wholeRange(charts: readonly uPlot[]) {
    for (const chart of charts) chart.setScale('x', { min: chart.data[0][0]!, max: chart.data[0].at(-1)! });
}

function applyHidden(chart: uPlot, series: readonly Series[], hidden: ReadonlySet<string>) {
    const perSeries = (chart.series.length - 1) / series.length;
    series.forEach((one, i) => {
        for (let k = 0; k < perSeries; k++) chart.setSeries(1 + i * perSeries + k, { show: !hidden.has(one.label) });
    });
}

function options(
    element: HTMLElement, series: readonly Series[], smoothed: boolean, y: uPlot.Scale, sync: string | undefined,
    latest: { current: { markers: readonly Marker[]; format: (value: number) => string } },
    changed: { cursor: (index: number | null) => void; range: (chart: uPlot) => void },
): uPlot.Options {
    const colour = (name: keyof typeof palette.value) => () => palette.peek()[name];
    const font = `12px ${getComputedStyle(element).fontFamily}`;
    const axis: uPlot.Axis = {
        stroke: colour('--muted'), font, grid: { stroke: colour('--border'), width: 1 }, ticks: { stroke: colour('--border'), width: 1 },
    };
    const line = (one: Series, alpha: number): uPlot.Series => ({
        label: one.label, stroke: colour(`--series-${one.colour}`), width: 1.5, alpha, ...(one.dashed && { dash: [6, 4] }),
        points: { show: (one.isMeasuredSeldom ?? false) || one.points.length === 1, size: 5 },
    });
    return {
        width: element.clientWidth || 600,
        height: 220,
        legend: { show: false },
        scales: { x: { time: false }, y },
        axes: [
            { ...axis, size: 32, values: (_, ticks) => ticks.map(tick => (Number.isInteger(tick) ? formatInteger(tick) : '')) },
            { ...axis, size: 64, values: (_, ticks) => ticks.map(tick => (tick === null ? '' : latest.current.format(tick))) },
        ],
        cursor: { points: { size: 6 }, ...(sync ? { sync: { key: sync } } : {}) },
        series: [{}, ...series.flatMap(one => (smoothed ? [line(one, isSmoothed(one) ? rawOpacity : 0), line(one, 1)] : [line(one, 1)]))],
        hooks: {
            setCursor: [chart => changed.cursor(chart.cursor.idx ?? null)],
            setScale: [(chart, key) => { if (key === 'x') changed.range(chart); }],
            draw: [chart => drawMarkers(chart, latest.current.markers, font)],
        },
    };
}

function drawMarkers(chart: uPlot, markers: readonly Marker[], font: string) {
    const { ctx } = chart;
    const { left, top, width, height } = chart.bbox;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = palette.peek()['--muted'];
    ctx.font = font.replace('12px', `${11 * ratio}px`);
    ctx.lineWidth = ratio;
    for (const marker of markers) {
        const x = Math.round(chart.valToPos(marker.x, 'x', true));
        if (x < left || x > left + width) continue;
        ctx.beginPath();
        ctx.setLineDash(marker.kind === 'line' ? [3 * ratio, 3 * ratio] : []);
        ctx.moveTo(x, marker.kind === 'line' ? top : top + height - 7 * ratio);
        ctx.lineTo(x, top + height);
        ctx.stroke();
        if (marker.kind === 'line') {
            const beyond = x + ctx.measureText(marker.label).width + 6 * ratio > left + width;
            ctx.textAlign = beyond ? 'right' : 'left';
            ctx.fillText(marker.label, x + (beyond ? -4 : 4) * ratio, top + 11 * ratio);
        }
    }
    ctx.restore();
}
