import { describe, expect, it } from 'vitest';
import { type Answered, calibrationError, confusionOf, errorOf, isRight, reliabilityOf, worst } from '../../src/charts/evaluation';
import type { Field, Labels } from '../../src/format/fields';

const title: Field = { name: 'title', kind: 'text' };
const category: Field = { name: 'category', kind: 'category' };
const price: Field = { name: 'price', kind: 'number' };
const brand: Field = { name: 'brand', kind: 'category' };
const weight: Field = { name: 'weight', kind: 'number', unit: 'g' };
const colours: Field = { name: 'colours', kind: 'list' };

const answered = (truth: Labels, answer: Labels, confidence = 0.5): Answered =>
    ({ truth, ...answer, confidence: { answer: confidence, category: confidence, fields: { brand: confidence } } });

describe('confusionOf', () => {
    const confusion = confusionOf([
        answered({ category: 'hat' }, { category: 'hat' }),
        answered({ category: 'hat' }, { category: 'coat' }),
        answered({ category: 'coat' }, { category: 'invented' }),
        answered({ category: 'coat' }, {}),
        answered({}, { category: 'hat' }),
        answered({ category: 'hat' }, { category: 'boot' }),
    ], 'category', new Set(['hat', 'coat', 'boot']));

    it('counts by true and answered category', () => {
        expect(Object.fromEntries(confusion.cells.get('hat')!)).toEqual({ hat: 1, coat: 1, boot: 1 });
    });

    it('puts categories that are never true after the others, unknown and missing ones in one last column', () => {
        expect(confusion.truths).toEqual(['coat', 'hat']);
        expect(confusion.answered).toEqual(['coat', 'hat', 'boot', '']);
        expect(Object.fromEntries(confusion.cells.get('coat')!)).toEqual({ '': 2 });
    });

    it('has no such column when every answer has a category, here of a further field', () => {
        const one = answered({ fields: { brand: 'Acme' } }, { fields: { brand: 'Acme' } });
        expect(confusionOf([one], 'brand', new Set(['Acme'])).answered).toEqual(['Acme']);
    });
});

describe('errorOf', () => {
    it('counts a missing number as 0 and leaves true ones of 0 out', () => {
        expect(errorOf(answered({ price: 50 }, { price: 60 }), price)).toBeCloseTo(0.2);
        expect(errorOf(answered({ fields: { weight: 50 } }, {}), weight)).toBe(1);
        expect(errorOf(answered({ price: 0 }, { price: 3 }), price)).toBeUndefined();
        expect(errorOf(answered({}, { price: 3 }), price)).toBeUndefined();
    });

    it('compares the items of lists in any order, however often they occur', () => {
        const truth = { fields: { colours: ['red', 'blue'] } };
        const of = (answer: string[]) => errorOf(answered(truth, { fields: { colours: answer } }), colours);
        expect(of(['blue', 'red'])).toBe(0);
        expect(of(['red', 'red'])).toBeCloseTo(1 / 3);
        expect(of([])).toBe(1);
    });
});

it('isRight takes numbers within ten percent, texts by the letter, lists in any order', () => {
    expect(isRight(answered({ price: 100 }, { price: 109 }), price)).toBe(true);
    expect(isRight(answered({ price: 100 }, { price: 111 }), price)).toBe(false);
    expect(isRight(answered({ title: 'Red hat' }, { title: 'red hat' }), title)).toBe(false);
    expect(isRight(answered({ fields: { colours: ['a', 'b'] } }, { fields: { colours: ['b', 'a'] } }), colours)).toBe(true);
    expect(isRight(answered({ fields: { brand: 'Acme' } }, {}), brand)).toBe(false);
});

describe('worst', () => {
    const answers = [
        answered({ category: 'hat', title: 'red hat', price: 10 }, { category: 'coat', title: 'red hat', price: 30 }, 0.4),
        answered({ category: 'hat', title: 'red hat', price: 10 }, { category: 'coat', title: 'blue', price: 10 }, 0.9),
        answered({ category: 'hat', title: 'red hat', price: 10 }, { category: 'hat', title: 'red coat', price: 12 }, 0.99),
    ];

    it('orders by the error of the number and leaves right ones out', () => {
        expect(worst(answers, price).map(one => [one.answer, one.value])).toEqual([
            [answers[0], 2], [answers[2], expect.closeTo(0.2)],
        ]);
    });

    it('orders wrong categories by confidence', () => {
        expect(worst(answers, category).map(one => one.answer)).toEqual([answers[1], answers[0]]);
    });

    it('orders titles by their words', () => {
        expect(worst(answers, title).map(one => one.value)).toEqual([1, 0.5]);
    });

    it('ends at the limit', () => expect(worst(answers, category, 1)).toHaveLength(1));
});

describe('reliabilityOf', () => {
    const bins = reliabilityOf([
        answered({ category: 'hat' }, { category: 'hat' }, 1),
        answered({ category: 'hat' }, { category: 'coat' }, 0.95),
        answered({ category: 'hat' }, { category: 'hat' }, 0.2),
        answered({}, { category: 'hat' }, 0.2),
    ], category);

    it('counts by ranges of confidence, 1 in the last', () => {
        expect(bins.map(bin => bin.count)).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 0, 2]);
        expect(bins[9]).toMatchObject({ right: 1, from: 0.9 });
    });

    it('counts further fields by their own confidence', () => {
        const answers = [answered({ fields: { brand: 'A' } }, { fields: { brand: 'A' } }, 0.7), answered({ category: 'hat' }, {})];
        expect(reliabilityOf(answers, brand).map(bin => bin.right)).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    });

    it('measures the distance of confidence and accuracy', () => {
        // |1 − 0.2| + |1 − 1.95| over three answers.
        expect(calibrationError(bins)).toBeCloseTo(1.75 / 3);
        expect(calibrationError(reliabilityOf([], category))).toBeUndefined();
    });
});
