/** A run of words that an answer shares with the truth, has in addition, or lacks. */
export interface WordRun {
    kind: 'same' | 'added' | 'missing';
    text: string;
}

/**
 * Compares an answer with the truth word by word: the longest common sequence of words is the same, the rest is added or missing.
 * Words are what white space separates; the joined texts of `same` and `added` are the answer with single spaces.
 */
export function compareWords(answer: string, truth: string): WordRun[] {
    const given = words(answer);
    const wanted = words(truth);
    // common[i][j]: length of the longest common sequence of given[i…] and wanted[j…].
    const common = Array.from({ length: given.length + 1 }, () => new Uint16Array(wanted.length + 1));
    for (let i = given.length - 1; i >= 0; i--) {
        for (let j = wanted.length - 1; j >= 0; j--) {
            common[i]![j] = given[i] === wanted[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
        }
    }

    const runs: WordRun[] = [];
    const add = (kind: WordRun['kind'], word: string) => {
        const last = runs.at(-1);
        if (last?.kind === kind) last.text += ` ${word}`;
        else runs.push({ kind, text: word });
    };
    let i = 0;
    let j = 0;
    while (i < given.length || j < wanted.length) {
        if (i < given.length && j < wanted.length && given[i] === wanted[j]) {
            add('same', given[i]!);
            i++;
            j++;
        } else if (j < wanted.length && (i === given.length || common[i]![j + 1]! >= common[i + 1]![j]!)) add('missing', wanted[j++]!);
        else add('added', given[i++]!);
    }
    return runs;
}

const words = (text: string) => text.split(/\s+/).filter(word => word !== '');

/**
 * Word-level F1 of two texts as the worker's evaluation computes it: words are lower-case runs of letters and digits, counted as often as
 * they occur.
 */
export const wordF1 = (answer: string, truth: string): number => f1(lowerWords(answer), lowerWords(truth));

const lowerWords = (text: string) => text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];

/** F1 of two lists in any order, 2 · common / (items of both); 1 when neither has an item. */
export function f1(answer: readonly string[], truth: readonly string[]): number {
    if (answer.length + truth.length === 0) return 1;
    const left = new Map<string, number>();
    for (const item of truth) left.set(item, (left.get(item) ?? 0) + 1);
    let common = 0;
    for (const item of answer) {
        const count = left.get(item) ?? 0;
        if (count > 0) common++;
        left.set(item, count - 1);
    }
    return (2 * common) / (answer.length + truth.length);
}
