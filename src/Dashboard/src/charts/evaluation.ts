import { type ByField, type Field, type FieldValue, type Labels, memberOf, valueOf } from '../format/fields';
import { f1, wordF1 } from './words';

/** The parts of an evaluated answer that its comparison with the truth needs. */
export interface Answered extends Labels {
    truth: Labels;
    confidence: ByField<number> & { answer: number };
}

/** Numbers of answers by true and by answered category; the answered category `''` is none that the samples have. */
export interface Confusion {
    truths: string[];
    answered: string[];
    cells: Map<string, Map<string, number>>;
}

const textOf = (value: FieldValue | undefined): string | undefined => typeof value === 'string' ? value : undefined;
const numberOf = (value: FieldValue | undefined): number | undefined => typeof value === 'number' ? value : undefined;
const itemsOf = (value: FieldValue | undefined): readonly string[] => Array.isArray(value) ? [...new Set(value)] : [];

/** Returns the answered category, or `''` for none that is known: the invented ones of an untrained model would each have a column. */
export function knownCategory(answer: Labels, field: string, known: ReadonlySet<string>): string {
    const category = textOf(valueOf(answer, field));
    return category !== undefined && known.has(category) ? category : '';
}

/**
 * Counts answers by true and answered category. Samples without a category are left out.
 * @param known Categories that may be answered.
 */
export function confusionOf(answers: readonly Answered[], field: string, known: ReadonlySet<string>): Confusion {
    const cells = new Map<string, Map<string, number>>();
    const others = new Set<string>();
    for (const answer of answers) {
        const truth = textOf(valueOf(answer.truth, field));
        if (truth === undefined) continue;
        const category = knownCategory(answer, field, known);
        const row = cells.get(truth) ?? new Map<string, number>();
        cells.set(truth, row.set(category, (row.get(category) ?? 0) + 1));
        others.add(category);
    }
    const truths = [...cells.keys()].toSorted();
    // What is never true comes last, where it does not push the diagonal aside; none at its very end.
    const rest = [...others].filter(other => !cells.has(other)).toSorted((a, b) => (b === '' ? -1 : a === '' ? 1 : a < b ? -1 : 1));
    return { truths, answered: [...truths, ...rest], cells };
}

/** Answers to one field whose truth is known. */
export const rated = <T extends Answered>(answers: readonly T[], field: string): T[] =>
    answers.filter(answer => valueOf(answer.truth, field) !== undefined);

/**
 * Error of an answer in a field whose truth is known, 0 for none; undefined where it cannot be measured. Of texts and lists it is 1 − F1,
 * of categories 1, of numbers their distance as a share of the true one, which must be above 0; an answer without a number counts as 0.
 */
export function errorOf(answer: Answered, { name, kind }: Field): number | undefined {
    const truth = valueOf(answer.truth, name);
    const given = valueOf(answer, name);
    switch (kind) {
        case 'category': return given === truth ? 0 : 1;
        case 'text': return 1 - wordF1(textOf(given) ?? '', textOf(truth) ?? '');
        case 'list': return 1 - f1(itemsOf(given), itemsOf(truth));
        case 'number': {
            const wanted = numberOf(truth) ?? 0;
            return wanted > 0 ? Math.abs((numberOf(given) ?? 0) - wanted) / wanted : undefined;
        }
    }
}

/** True for an answer that is right in a field: numbers within ten percent, lists in any order, all else exactly. */
export function isRight(answer: Answered, field: Field): boolean {
    if (field.kind === 'text') return valueOf(answer, field.name) === valueOf(answer.truth, field.name);
    return (errorOf(answer, field) ?? 1) <= (field.kind === 'number' ? 0.1 : 0);
}

/** Confidence of an answer in a field; undefined where the answer lacks it. */
export const confidenceIn = ({ confidence }: Answered, { name }: Field): number | undefined => memberOf(confidence, name);

/**
 * Selects the answers that are worst in a field, the worst first; those without an error are left out. Wrong categories are all as wrong:
 * the most confident comes first.
 */
export function worst<T extends Answered>(answers: readonly T[], field: Field, limit = 50): { answer: T; value: number }[] {
    const wrong = rated(answers, field.name).flatMap(answer => {
        const error = errorOf(answer, field) ?? 0;
        const value = field.kind === 'category' ? error * (confidenceIn(answer, field) ?? answer.confidence.answer) : error;
        return error > 0 ? [{ answer, value }] : [];
    });
    return wrong.sort((a, b) => b.value - a.value).slice(0, limit);
}

/** Answers whose confidence is in a range, and how many of them are right. */
export interface ReliabilityBin {
    from: number;
    to: number;
    count: number;
    right: number;
    /** Sum of the confidences. */
    confidence: number;
}

/** Counts right answers by confidence in a field, in ten ranges from 0 to 1. */
export function reliabilityOf(answers: readonly Answered[], field: Field): ReliabilityBin[] {
    const bins = Array.from({ length: 10 }, (_, i) => ({ from: i / 10, to: (i + 1) / 10, count: 0, right: 0, confidence: 0 }));
    for (const answer of rated(answers, field.name)) {
        const confidence = confidenceIn(answer, field);
        if (confidence === undefined) continue;
        const bin = bins[Math.min(9, Math.floor(confidence * 10))]!;
        bin.count++;
        bin.confidence += confidence;
        if (isRight(answer, field)) bin.right++;
    }
    return bins;
}

/** Expected calibration error: mean distance of confidence and accuracy over the ranges, by their counts; undefined without answers. */
export function calibrationError(bins: readonly ReliabilityBin[]): number | undefined {
    const total = bins.reduce((sum, bin) => sum + bin.count, 0);
    return total === 0 ? undefined : bins.reduce((sum, bin) => sum + Math.abs(bin.right - bin.confidence), 0) / total;
}
