import { describe, expect, it } from 'vitest';
import { compareWords, wordF1 } from '../../src/charts/words';

describe('compareWords', () => {
    it('keeps the common words, marks the others, and puts what is missing before what is added', () => {
        expect(compareWords('Product: red coat, Category: hat', 'Product: blue coat, Category: coat')).toEqual([
            { kind: 'same', text: 'Product:' },
            { kind: 'missing', text: 'blue' },
            { kind: 'added', text: 'red' },
            { kind: 'same', text: 'coat, Category:' },
            { kind: 'missing', text: 'coat' },
            { kind: 'added', text: 'hat' },
        ]);
    });

    it('finds the longest common sequence where greedy matching would lose it', () => {
        const same = compareWords('x a b c', 'a b c x').filter(run => run.kind === 'same');
        expect(same).toEqual([{ kind: 'same', text: 'a b c' }]);
    });

    it('gives the answer back when the missing words are left out', () => {
        const answer = 'one  two\nthree four';
        const runs = compareWords(answer, 'two five three');
        expect(runs.filter(run => run.kind !== 'missing').map(run => run.text).join(' ')).toBe('one two three four');
    });

    it('marks everything of an empty answer as missing, and nothing of equal texts', () => {
        expect(compareWords('', 'a b')).toEqual([{ kind: 'missing', text: 'a b' }]);
        expect(compareWords('a b', 'a b')).toEqual([{ kind: 'same', text: 'a b' }]);
        expect(compareWords('', '')).toEqual([]);
    });
});

describe('wordF1', () => {
    it('counts words as often as they occur, whatever their case and punctuation', () => {
        // Common: red, coat; 3 + 2 words.
        expect(wordF1('Red, red coat', 'coat (red)')).toBeCloseTo(0.8);
        expect(wordF1('blue', 'red')).toBe(0);
        expect(wordF1('Füße', 'füße')).toBe(1);
    });

    it('is 1 when neither text has a word, 0 when one has', () => {
        expect(wordF1('', '–')).toBe(1);
        expect(wordF1('', 'red')).toBe(0);
    });
});
