import { wordF1 } from './words';

/** The parts of an evaluated answer that its comparison with the truth needs. */
export interface Answered {
    truth: { title?: string; category?: string; price?: number };
    title?: string;
    category?: string;
    price?: number;
    confidence: { answer: number; category?: number };
}

/** Numbers of answers by true and by answered category; the answered category `''` is none that the samples have. */
export interface Confusion {
    truths: string[];
    answered: string[];
    cells: Map<string, Map<string, number>>;
}

/** Returns the answered category, or `''` for none that is known: the invented ones of an untrained model would each have a column. */
export const knownCategory = (answer: Answered, known: ReadonlySet<string>) =>
    (answer.category !== undefined && known.has(answer.category) ? answer.category : '');

/**
 * Counts answers by true and answered category. Samples without a category are left out.
 * @param known Categories that may be answered.
 */
export function confusionOf(answers: readonly Answered[], known: ReadonlySet<string>): Confusion {
    const cells = new Map<string, Map<string, number>>();
    const others = new Set<string>();
    for (const answer of answers) {
        const { truth: { category: truth } } = answer;
        if (truth === undefined) continue;
        const category = knownCategory(answer, known);
        const row = cells.get(truth) ?? new Map<string, number>();
        cells.set(truth, row.set(category, (row.get(category) ?? 0) + 1));
        others.add(category);
    }
    const truths = [...cells.keys()].toSorted();
    // What is never true comes last, where it does not push the diagonal aside; none at its very end.
    const rest = [...others].filter(other => !cells.has(other)).toSorted((a, b) => (b === '' ? -1 : a === '' ? 1 : a < b ? -1 : 1));
    return { truths, answered: [...truths, ...rest], cells };
}

/** Absolute error of the answered price in percent of the true one; undefined without a true price above 0. A missing answer is price 0. */
export function pricePercentError({ truth, price = 0 }: Answered): number | undefined {
    return truth.price !== undefined && truth.price > 0 ? (100 * Math.abs(price - truth.price)) / truth.price : undefined;
}

/** Orders in which answers can be the worst. */
const badness = {
    /** Error of the price, in percent. */
    price: pricePercentError,
    /** Confidence in a category that is wrong. */
    category: (answer: Answered) =>
        (answer.truth.category !== undefined && answer.category !== answer.truth.category
            ? answer.confidence.category ?? answer.confidence.answer
            : undefined),
    /** Share of the title that is wrong: 1 − word F1. */
    title: ({ truth, title = '' }: Answered) => {
        if (truth.title === undefined) return undefined;
        const wrong = 1 - wordF1(title, truth.title);
        return wrong > 0 ? wrong : undefined;
    },
} satisfies Record<string, (answer: Answered) => number | undefined>;

export type Badness = keyof typeof badness;

/** Selects the worst answers, the worst first; answers without an error of that kind are left out. */
export function worst<T extends Answered>(answers: readonly T[], kind: Badness, limit = 50): { answer: T; value: number }[] {
    const rated: { answer: T; value: number }[] = [];
    for (const answer of answers) {
        const value = badness[kind](answer);
        if (value !== undefined && value > 0) rated.push({ answer, value });
    }
    return rated.sort((a, b) => b.value - a.value).slice(0, limit);
}

/** Answers whose confidence is in a range, and how many of them have the right category. */
export interface ReliabilityBin {
    from: number;
    to: number;
    count: number;
    right: number;
    /** Sum of the confidences. */
    confidence: number;
}

/** Counts right categories by confidence in the category, in ten ranges from 0 to 1. */
export function reliabilityOf(answers: readonly Answered[]): ReliabilityBin[] {
    const bins = Array.from({ length: 10 }, (_, i) => ({ from: i / 10, to: (i + 1) / 10, count: 0, right: 0, confidence: 0 }));
    for (const { truth, category, confidence } of answers) {
        if (truth.category === undefined || confidence.category === undefined) continue;
        const bin = bins[Math.min(9, Math.floor(confidence.category * 10))]!;
        bin.count++;
        bin.confidence += confidence.category;
        if (category === truth.category) bin.right++;
    }
    return bins;
}

/** Expected calibration error: mean distance of confidence and accuracy over the ranges, by their counts; undefined without answers. */
export function calibrationError(bins: readonly ReliabilityBin[]): number | undefined {
    const total = bins.reduce((sum, bin) => sum + bin.count, 0);
    return total === 0 ? undefined : bins.reduce((sum, bin) => sum + Math.abs(bin.right - bin.confidence), 0) / total;
}
