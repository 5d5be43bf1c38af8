import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { palette } from './palette';
import './charts.css';

interface NumberPoint {
    key: string;
    truth: number;
    /** Undefined for an answer without a number, drawn at the lower edge. */
    answered: number | undefined;
}

interface Props {
    points: readonly NumberPoint[];
    /** The number that the baseline answers to every image: the median. */
    baseline: number | undefined;
    format: (value: number) => string;
    /** Name of the field, such as `price`. */
    label: string;
    onOpen: (key: string) => void;
}

const height = 360;
const margin = { left: 60, right: 28, top: 12, bottom: 40 };

/** Bounds of a logarithmic axis for both numbers, as powers of ten of their logarithms; those of 0 have no place on it. */
export function axisRange(points: readonly NumberPoint[]): [number, number] {
    let low = Infinity;
    let high = -Infinity;
    for (const { truth, answered } of points) {
        for (const value of [truth, answered]) {
            if (value === undefined || value <= 0) continue;
            low = Math.min(low, value);
            high = Math.max(high, value);
        }
    }
    return low > high ? [0, 1] : [Math.log10(low) - 0.1, Math.log10(high) + 0.1];
}

/** Index of the point nearest to a place in pixels, within a distance; undefined when there is none. */
export function nearestPoint(places: readonly (readonly [number, number])[], x: number, y: number, within: number): number | undefined {
    let best: number | undefined;
    let least = within * within;
    places.forEach(([px, py], i) => {
        const distance = (px - x) ** 2 + (py - y) ** 2;
        if (distance <= least) [best, least] = [i, distance];
    });
    return best;
}

/**
 * Answered against true numbers, both logarithmic, with the band of ±10 % and the baseline. A point opens its sample: by a click, or
 * by the slider, which goes through the points by the true number, and the button beside it.
 */
export function NumberScatter({ points, baseline, format, label, onOpen }: Props) {
    const canvas = useRef<HTMLCanvasElement>(null);
    const [width, setWidth] = useState(600);
    const [chosen, setChosen] = useState<number>();
    const colours = palette.value;

    const sorted = useMemo(() => points.filter(point => point.truth > 0).sort((a, b) => a.truth - b.truth), [points]);
    const [low, high] = useMemo(() => axisRange(sorted), [sorted]);
    const bottom = height - margin.bottom;
    const share = (value: number) => (Math.log10(value) - low) / (high - low);
    const x = (value: number) => margin.left + share(value) * (width - margin.left - margin.right);
    const y = (value: number) => bottom - share(value) * (bottom - margin.top);
    const places = useMemo(
        () => sorted.map(({ truth, answered }) => [x(truth), answered !== undefined && answered > 0 ? y(answered) : bottom] as const),
        [sorted, width]);

    useEffect(() => {
        const element = canvas.current!.parentElement!;
        const resize = new ResizeObserver(() => { if (element.clientWidth > 0) setWidth(element.clientWidth); });
        resize.observe(element);
        return () => resize.disconnect();
    }, []);

    useEffect(() => {
        const element = canvas.current!;
        const context = element.getContext('2d');
        if (!context) return;
        const ratio = devicePixelRatio;
        element.width = width * ratio;
        element.height = height * ratio;
        context.scale(ratio, ratio);
        const right = width - margin.right;

        context.fillStyle = colours['--accent-soft'];
        const edges = [10 ** low, 10 ** high] as const;
        context.save();
        context.beginPath();
        context.rect(margin.left, margin.top, right - margin.left, bottom - margin.top);
        context.clip();
        context.beginPath();
        context.moveTo(x(edges[0]), y(edges[0] * 1.1));
        context.lineTo(x(edges[1]), y(edges[1] * 1.1));
        context.lineTo(x(edges[1]), y(edges[1] * 0.9));
        context.lineTo(x(edges[0]), y(edges[0] * 0.9));
        context.fill();
        context.restore();

        context.font = `12px ${getComputedStyle(element).fontFamily}`;
        context.strokeStyle = colours['--border'];
        context.fillStyle = colours['--muted'];
        for (const tick of axisTicks(low, high)) {
            context.beginPath();
            context.moveTo(x(tick), margin.top);
            context.lineTo(x(tick), bottom);
            context.moveTo(margin.left, y(tick));
            context.lineTo(right, y(tick));
            context.stroke();
            context.textAlign = 'center';
            context.fillText(format(tick), x(tick), bottom + 16);
            context.textAlign = 'right';
            context.fillText(format(tick), margin.left - 6, y(tick) + 4);
        }
        context.textAlign = 'center';
        context.fillText(`true ${label}`, (margin.left + right) / 2, height - 6);
        context.save();
        context.rotate(-Math.PI / 2);
        context.fillText(`answered ${label}`, -(margin.top + bottom) / 2, 12);
        context.restore();

        if (baseline !== undefined && baseline > 0) {
            context.strokeStyle = colours['--series-2'];
            context.setLineDash([6, 4]);
            context.beginPath();
            context.moveTo(margin.left, y(baseline));
            context.lineTo(right, y(baseline));
            context.stroke();
            context.setLineDash([]);
        }

        context.fillStyle = colours['--series-1'];
        context.globalAlpha = places.length > 1000 ? 0.35 : 0.6;
        for (const [px, py] of places) context.fillRect(px - 2, py - 2, 4, 4);
        context.globalAlpha = 1;
        if (chosen !== undefined && places[chosen]) {
            context.strokeStyle = colours['--text'];
            context.lineWidth = 2;
            context.beginPath();
            context.arc(...places[chosen], 6, 0, 2 * Math.PI);
            context.stroke();
        }
    }, [places, width, chosen, colours, baseline]);

    const at = (event: MouseEvent) => nearestPoint(places, event.offsetX, event.offsetY, 12);
    const words = (point: NumberPoint) =>
        `true ${format(point.truth)}, answered ${point.answered === undefined ? 'none' : format(point.answered)}`;
    const point = chosen === undefined ? undefined : sorted[chosen];
    return (
        <figure class="chart">
            <div>
                <canvas
                    ref={canvas} class="scatter" role="img"
                    aria-label={`Answered against true ${label} of ${sorted.length} samples, logarithmic, with a band of ten percent`}
                    onMouseMove={event => setChosen(at(event))}
                    onClick={event => {
                        const index = at(event);
                        if (index !== undefined) onOpen(sorted[index]!.key);
                    }}
                />
            </div>
            {sorted.length > 0 && (
                <div class="scatter-choice">
                    <input
                        type="range" aria-label={`Sample by true ${label}`} min={0} max={sorted.length - 1} value={chosen ?? 0}
                        aria-valuetext={words(point ?? sorted[0]!)} onInput={event => setChosen(event.currentTarget.valueAsNumber)}
                    />
                    <button type="button" class="small" disabled={!point} onClick={() => onOpen(point!.key)}>Open</button>
                    <span class="muted">
                        {point ? words(point) : 'Band: within ten percent. Dashed: the true median, as an answer to all.'}
                    </span>
                </div>
            )}
        </figure>
    );
}

/** Powers of ten within the axis, with 2 and 5 times them when there are few. */
export function axisTicks(low: number, high: number): number[] {
    const digits = high - low > 2.5 ? [1] : [1, 2, 5];
    const ticks: number[] = [];
    for (let power = Math.floor(low); power <= high; power++) {
        for (const digit of digits) {
            const tick = digit * 10 ** power;
            if (Math.log10(tick) >= low && Math.log10(tick) <= high) ticks.push(tick);
        }
    }
    return ticks;
}
