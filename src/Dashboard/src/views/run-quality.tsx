import type { Schemas } from '../api/schema';
import { formatNumber, formatPercent, formatSignificant, none } from '../format/format';

export type Metrics = Schemas['EvaluationMetrics'];

/** A figure of an evaluation. */
export interface Figure {
    label: string;
    value: (metrics: Metrics) => number | undefined;
    /** The same figure of an answer that ignores the image. */
    baseline?: (metrics: Metrics) => number | undefined;
    format: (value: number | undefined) => string;
    isHigherBetter: boolean;
}

const percent = (value: number | undefined) => formatPercent(value);

/** The figures that models are compared by, the most telling first. */
export const figures: readonly Figure[] = [
    { label: 'Loss, nats per token', value: m => m.loss, format: value => formatSignificant(value), isHigherBetter: false },
    {
        label: 'Category accuracy', value: m => m.categoryAccuracy, baseline: m => m.majorityCategoryAccuracy, format: percent,
        isHigherBetter: true,
    },
    { label: 'Title word F1', value: m => m.titleF1, format: value => formatSignificant(value, 3), isHigherBetter: true },
    { label: 'Title exact', value: m => m.titleExactMatch, format: percent, isHigherBetter: true },
    {
        label: 'Price within 10 %', value: m => m.priceWithinTenPercent, baseline: m => m.baselinePriceWithinTenPercent, format: percent,
        isHigherBetter: true,
    },
    {
        label: 'Median price error', value: m => m.medianPriceError, baseline: m => m.baselineMedianPriceError, format: formatNumber,
        isHigherBetter: false,
    },
    {
        label: 'Median price error, percent', value: m => m.medianPricePercentError, baseline: m => m.baselineMedianPricePercentError,
        format: value => formatPercent(value === undefined ? undefined : value / 100), isHigherBetter: false,
    },
    { label: 'Answers that parse', value: m => m.parsedShare, format: percent, isHigherBetter: true },
];

/** Figures that at least one of the evaluations has. */
export const figuresOf = (evaluations: readonly (Metrics | undefined)[]): Figure[] =>
    figures.filter(figure => evaluations.some(metrics => metrics && figure.value(metrics) !== undefined));

/** True when a value is better than its baseline, or as good; undefined without one of them. */
export function beats(figure: Figure, value: number | undefined, baseline: number | undefined): boolean | undefined {
    if (value === undefined || baseline === undefined) return undefined;
    return figure.isHigherBetter ? value >= baseline : value <= baseline;
}

/** Final metrics of a run beside those of the base model and of an answer that ignores the image. */
export function ResultTable({ result }: { result: Schemas['TrainingResult'] }) {
    const { base, fineTuned, test } = result;
    return (
        <div class="table-scroll" tabIndex={0} role="region" aria-label="Final metrics">
            <table>
                <thead>
                    <tr>
                        <th scope="col">Figure</th>
                        <th scope="col" class="number">Fine-tuned</th>
                        <th scope="col" class="number">Base model</th>
                        <th scope="col" class="number">Without the image</th>
                        {test && <th scope="col" class="number">Test split</th>}
                    </tr>
                </thead>
                <tbody>
                    {figuresOf([base, fineTuned, test]).map(figure => {
                        const value = fineTuned && figure.value(fineTuned);
                        const naive = fineTuned && figure.baseline?.(fineTuned);
                        const isWorse = beats(figure, value, naive) === false || beats(figure, value, base && figure.value(base)) === false;
                        return (
                            <tr key={figure.label}>
                                <th scope="row">{figure.label}</th>
                                <td class="number">
                                    <strong>{figure.format(value)}</strong>
                                    {isWorse && <> <span class="badge badge-warn">worse</span></>}
                                </td>
                                <td class="number">{base ? figure.format(figure.value(base)) : none}</td>
                                <td class="number">{figure.format(naive)}</td>
                                {test && <td class="number">{figure.format(figure.value(test))}</td>}
                            </tr>
                        );
                    })}
                </tbody>
            </table>
        </div>
    );
}
