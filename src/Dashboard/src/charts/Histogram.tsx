import { useState } from 'preact/hooks';
import { formatInteger } from '../format/format';
import './charts.css';

interface Bin {
    /** Lower bound, inclusive. */
    from: number;
    /** Upper bound, exclusive. */
    to: number;
    count: number;
}

interface Props {
    title: string;
    /** In ascending order; empty ones may be left out. */
    bins: readonly Bin[];
    min: number;
    mean: number;
    max: number;
    format: (value: number) => string;
}

const width = 360;
const height = 120;

/** A histogram whose bins are equally wide on screen, so that edges which grow make its axis logarithmic; a table has the numbers. */
export function Histogram({ title, bins, min, mean, max, format }: Props) {
    const [open, setOpen] = useState(false);
    const all = fillBins(bins);
    const highest = Math.max(...all.map(bin => bin.count), 1);
    const bar = width / Math.max(all.length, 1);
    const summary = `${format(min)} to ${format(max)}, mean ${format(mean)}`;
    return (
        <figure class="chart">
            <figcaption class="chart-head"><h3>{title}</h3></figcaption>
            <svg
                class="histogram" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img"
                aria-label={`${title}: ${summary}`}
            >
                {all.map((bin, i) => {
                    const tall = (bin.count / highest) * (height - 2);
                    return (
                        <rect key={bin.from} x={i * bar + 0.5} width={Math.max(bar - 1, 0.5)} y={height - tall} height={tall}>
                            <title>{`${format(bin.from)} – ${format(bin.to)}: ${formatInteger(bin.count)}`}</title>
                        </rect>
                    );
                })}
            </svg>
            <div class="histogram-scale muted" aria-hidden="true">
                <span>{all.length > 0 && format(all[0]!.from)}</span>
                <span>{all.length > 0 && format(all.at(-1)!.to)}</span>
            </div>
            <p class="muted">{summary}</p>
            <details class="chart-table" onToggle={event => setOpen(event.currentTarget.open)}>
                <summary>Table</summary>
                {open && (
                    <div class="table-scroll" tabIndex={0} role="region" aria-label={`${title}, table`}>
                        <table>
                            <thead><tr><th scope="col">From</th><th scope="col">To below</th><th scope="col">Count</th></tr></thead>
                            <tbody>
                                {bins.map(bin => (
                                    <tr key={bin.from}>
                                        <td>{format(bin.from)}</td><td>{format(bin.to)}</td><td>{formatInteger(bin.count)}</td>
                                    </tr>
                                ))}
                            </tbody>
                        </table>
                    </div>
                )}
            </details>
        </figure>
    );
}

/** Puts the empty bins back between the others: the edges of reports are 0, 1, 2, 5, 10, 20, 50, …. */
export function fillBins(bins: readonly Bin[]): Bin[] {
    const filled: Bin[] = [];
    for (const bin of bins) {
        for (let from = filled.at(-1)?.to ?? bin.from; from < bin.from; from = nextEdge(from)) {
            filled.push({ from, to: nextEdge(from), count: 0 });
        }
        filled.push(bin);
    }
    return filled;
}

function nextEdge(edge: number): number {
    const power = 10 ** Math.floor(Math.log10(edge) + 1e-9);
    const digit = Math.round(edge / power);
    return digit === 1 ? 2 * power : digit === 2 ? 5 * power : 10 * power;
}
