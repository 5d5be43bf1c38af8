import type { Schemas } from '../api/schema';
import { formatNumber, formatPercent, formatSignificant } from './format';

type Metrics = Schemas['EvaluationMetrics'];

/** A figure of an evaluation. */
export interface Metric {
    key: string;
    label: string;
    value: (metrics: Metrics) => number | undefined;
    /** Figure of always answering the most frequent category and the median price. */
    baseline?: (metrics: Metrics) => number | undefined;
    isBetterLow?: boolean;
    format: (value: number | null | undefined) => string;
}

const percent = (value: number | null | undefined): string => formatPercent(value);
const ofHundred = (value: number | null | undefined): string => formatPercent(value === undefined || value === null ? value : value / 100);

/** All figures, the most informative first. */
export const metrics: readonly Metric[] = [
    {
        key: 'category', label: 'Category accuracy', value: m => m.categoryAccuracy, baseline: m => m.majorityCategoryAccuracy,
        format: percent,
    },
    { key: 'title', label: 'Title exact match', value: m => m.titleExactMatch, format: percent },
    { key: 'titleF1', label: 'Title word F1', value: m => m.titleF1, format: percent },
    {
        key: 'within', label: 'Prices within 10 %', value: m => m.priceWithinTenPercent, baseline: m => m.baselinePriceWithinTenPercent,
        format: percent,
    },
    {
        key: 'priceError', label: 'Median price error', value: m => m.medianPriceError, baseline: m => m.baselineMedianPriceError,
        isBetterLow: true, format: formatNumber,
    },
    {
        key: 'pricePercent', label: 'Median price error, percent', value: m => m.medianPricePercentError,
        baseline: m => m.baselineMedianPricePercentError, isBetterLow: true, format: ofHundred,
    },
    { key: 'parsed', label: 'Answers that parse', value: m => m.parsedShare, format: percent },
    { key: 'loss', label: 'Loss (nats per token)', value: m => m.loss, isBetterLow: true, format: formatSignificant },
];

/** True for a change in the better direction, false in the worse, null for none. */
export function isBetter(metric: Metric, before: number | undefined, after: number | undefined): boolean | null {
    if (before === undefined || after === undefined || before === after) return null;
    return metric.isBetterLow ? after < before : after > before;
}
