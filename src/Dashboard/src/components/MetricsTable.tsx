import type { Schemas } from '../api/schema';
import { formatDifference } from '../format/format';
import { isBetter, metricsOf } from '../format/metrics';

/** A column of figures. */
export interface Measured {
    label: string;
    metrics: Schemas['EvaluationMetrics'] | undefined;
}

interface Props {
    caption: string;
    columns: readonly Measured[];
    /** Index of the column that the last of `compared` is compared with, and index of that one. */
    compared?: readonly [number, number];
    /** Adds the figures of always answering the most frequent category or list, and the median number. */
    withBaseline?: boolean;
}

/** Figures of evaluations side by side, with the difference of two of them. */
export function MetricsTable({ caption, columns, compared, withBaseline }: Props) {
    const rows = metricsOf(columns.map(column => column.metrics));
    return (
        <div class="table-scroll" role="region" aria-label={caption} tabIndex={0}>
            <table>
                <caption class="sr-only">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">Metric</th>
                        {columns.map(column => <th key={column.label} scope="col" class="number">{column.label}</th>)}
                        {compared && <th scope="col" class="number">Difference</th>}
                        {withBaseline && <th scope="col" class="number">Baseline</th>}
                    </tr>
                </thead>
                <tbody>{rows.map(metric => {
                    const values = columns.map(column => column.metrics && metric.value(column.metrics));
                    const [before, after] = compared ? [values[compared[0]], values[compared[1]]] : [];
                    const better = isBetter(metric, before, after);
                    const difference = before === undefined || after === undefined ? undefined : after - before;
                    const baseline = columns.map(column => column.metrics && metric.baseline?.(column.metrics))
                        .find(one => one !== undefined);
                    return (
                        <tr key={metric.key}>
                            <th scope="row">{metric.label}</th>
                            {values.map((value, i) => <td key={columns[i]!.label} class="number">{metric.format(value)}</td>)}
                            {compared && (
                                <td class={`number ${better === null ? 'muted' : better ? 'good-text' : 'bad-text'}`}>
                                    {formatDifference(difference, metric.format)}
                                </td>
                            )}
                            {withBaseline && <td class="number muted">{metric.format(baseline)}</td>}
                        </tr>
                    );
                })}
                </tbody>
            </table>
        </div>
    );
}
