import './charts.css';

export interface Point {
    x: number;
    y: number;
}

const width = 120;
const height = 28;
const margin = 2;

/** A small curve without axes. Its label says in words what it shows. */
export function Sparkline({ points, label }: { points: readonly Point[]; label: string }) {
    return (
        <svg class="sparkline" viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img" aria-label={label}>
            <path d={sparklinePath(points)} />
        </svg>
    );
}

/** Path of a curve that fills the sparkline's box; a single point is a line across it. */
export function sparklinePath(points: readonly Point[]): string {
    if (points.length === 0) return '';
    const [left, right] = range(points.map(point => point.x));
    const [low, high] = range(points.map(point => point.y));
    const x = (value: number) => margin + share(value, left, right) * (width - 2 * margin);
    const y = (value: number) => height - margin - share(value, low, high) * (height - 2 * margin);
    if (points.length === 1) return `M${margin} ${height / 2}H${width - margin}`;
    return points.map((point, i) => `${i === 0 ? 'M' : 'L'}${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`).join('');
}

const range = (values: number[]) => [Math.min(...values), Math.max(...values)] as const;
const share = (value: number, from: number, to: number) => (to > from ? (value - from) / (to - from) : 0.5);
