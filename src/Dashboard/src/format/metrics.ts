import type { Schemas } from '../api/schema';
import { type FieldKind, labelOf, namesOf } from './fields';
import { formatNumber, formatPercent, formatSignificant } from './format';

type Metrics = Schemas['EvaluationMetrics'];
type Figures = { [K in keyof Schemas['FieldFigures']]: number | undefined };
type Format = (value: number | null | undefined) => string;

/** A figure of an evaluation. */
export interface Metric {
    key: string;
    label: string;
    value: (metrics: Metrics) => number | undefined;
    /** Figure of always answering the most frequent category or list, or the median number. */
    baseline?: (metrics: Metrics) => number | undefined;
    isBetterLow?: boolean;
    format: Format;
}

/** Metrics of one field. */
interface FieldMetrics {
    kind: FieldKind;
    unit?: string | undefined;
    answered: Figures;
    baseline?: Figures | undefined;
    confusion?: readonly Schemas['ConfusionRow'][] | undefined;
}

/** Metrics of a field, those of title, category and price from their own members; undefined for a field that was not measured. */
export function fieldMetrics(metrics: Metrics, name: string): FieldMetrics | undefined {
    switch (name) {
        case 'title': return { kind: 'text', answered: { exactMatch: metrics.titleExactMatch, f1: metrics.titleF1 } };
        case 'category': return {
            kind: 'category', confusion: metrics.confusion,
            answered: { exactMatch: metrics.categoryAccuracy }, baseline: { exactMatch: metrics.majorityCategoryAccuracy },
        };
        case 'price': return {
            kind: 'number',
            answered: {
                withinTenPercent: metrics.priceWithinTenPercent, medianError: metrics.medianPriceError,
                medianPercentError: metrics.medianPricePercentError,
            },
            baseline: {
                withinTenPercent: metrics.baselinePriceWithinTenPercent, medianError: metrics.baselineMedianPriceError,
                medianPercentError: metrics.baselineMedianPricePercentError,
            },
        };
        default: return metrics.fields?.[name];
    }
}

const percent: Format = value => formatPercent(value);
const ofHundred: Format = value => formatPercent(value === undefined || value === null ? value : value / 100);

interface Figure {
    figure: keyof Figures;
    label: string;
    format: Format;
    isBetterLow?: boolean;
}

const exact: Figure = { figure: 'exactMatch', label: 'exact match', format: percent };

/** Figures by the kind of a field, the most informative first. */
const figures: Record<FieldKind, readonly [Figure, ...Figure[]]> = {
    text: [{ figure: 'f1', label: 'word F1', format: percent }, exact],
    category: [{ figure: 'exactMatch', label: 'accuracy', format: percent }],
    number: [
        { figure: 'withinTenPercent', label: 'within 10 %', format: percent },
        { figure: 'medianError', label: 'median error', format: formatNumber, isBetterLow: true },
        { figure: 'medianPercentError', label: 'median error, percent', format: ofHundred, isBetterLow: true },
    ],
    list: [{ figure: 'f1', label: 'item F1', format: percent }, exact],
};

const others: readonly Metric[] = [
    { key: 'parsed', label: 'Answers that parse', value: m => m.parsedShare, format: percent },
    { key: 'loss', label: 'Loss (nats per token)', value: m => m.loss, isBetterLow: true, format: formatSignificant },
];

const metricOf = (name: string, unit: string | undefined, { figure, label, format, isBetterLow = false }: Figure): Metric => ({
    key: `${name} ${figure}`, label: `${labelOf(name)} ${label}${unit && format === formatNumber ? `, ${unit}` : ''}`, format, isBetterLow,
    value: m => fieldMetrics(m, name)?.answered[figure], baseline: m => fieldMetrics(m, name)?.baseline?.[figure],
});

const isKnown = (evaluations: readonly (Metrics | undefined)[]) => (metric: Metric) =>
    evaluations.some(metrics => metrics && metric.value(metrics) !== undefined);

/** Figures that evaluations have of each field: the first `most` of its kind. */
const figuresOf = (evaluations: readonly (Metrics | undefined)[], most?: number): Metric[] =>
    namesOf(...evaluations).flatMap(name => {
        const field = evaluations.map(metrics => metrics && fieldMetrics(metrics, name)).find(one => one !== undefined);
        return field ? figures[field.kind].slice(0, most).map(figure => metricOf(name, field.unit, figure)) : [];
    }).filter(isKnown(evaluations));

/** All figures that evaluations have. */
export const metricsOf = (evaluations: readonly (Metrics | undefined)[]): Metric[] =>
    [...figuresOf(evaluations), ...others.filter(isKnown(evaluations))];

/** The most informative figure of each field that evaluations have. */
export const headlinesOf = (evaluations: readonly (Metrics | undefined)[]): Metric[] => figuresOf(evaluations, 1);

/** True for a change in the better direction, false in the worse, null for none. */
export function isBetter(metric: Metric, before: number | undefined, after: number | undefined): boolean | null {
    if (before === undefined || after === undefined || before === after) return null;
    return metric.isBetterLow ? after < before : after > before;
}
