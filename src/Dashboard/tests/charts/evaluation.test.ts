import { describe, expect, it } from 'vitest';
import { type Answered, calibrationError, confusionOf, pricePercentError, reliabilityOf, worst } from '../../src/charts/evaluation';

const answered = (truth: Answered['truth'], answer: { title?: string; category?: string; price?: number }, confidence = 0.5): Answered =>
    ({ truth, ...answer, confidence: { answer: confidence, category: confidence } });

describe('confusionOf', () => {
    const confusion = confusionOf([
        answered({ category: 'hat' }, { category: 'hat' }),
        answered({ category: 'hat' }, { category: 'coat' }),
        answered({ category: 'coat' }, { category: 'invented' }),
        answered({ category: 'coat' }, {}),
        answered({}, { category: 'hat' }),
        answered({ category: 'hat' }, { category: 'boot' }),
    ], new Set(['hat', 'coat', 'boot']));

    it('counts by true and answered category', () => {
        expect(Object.fromEntries(confusion.cells.get('hat')!)).toEqual({ hat: 1, coat: 1, boot: 1 });
    });

    it('puts categories that are never true after the others, unknown and missing ones in one last column', () => {
        expect(confusion.truths).toEqual(['coat', 'hat']);
        expect(confusion.answered).toEqual(['coat', 'hat', 'boot', '']);
        expect(Object.fromEntries(confusion.cells.get('coat')!)).toEqual({ '': 2 });
    });

    it('has no such column when every answer has a category', () => {
        expect(confusionOf([answered({ category: 'hat' }, { category: 'hat' })], new Set(['hat'])).answered).toEqual(['hat']);
    });
});

describe('pricePercentError', () => {
    it('counts a missing price as 0 and leaves prices of 0 out', () => {
        expect(pricePercentError(answered({ price: 50 }, { price: 60 }))).toBeCloseTo(20);
        expect(pricePercentError(answered({ price: 50 }, {}))).toBe(100);
        expect(pricePercentError(answered({ price: 0 }, { price: 3 }))).toBeUndefined();
        expect(pricePercentError(answered({}, { price: 3 }))).toBeUndefined();
    });
});

describe('worst', () => {
    const answers = [
        answered({ category: 'hat', title: 'red hat', price: 10 }, { category: 'coat', title: 'red hat', price: 30 }, 0.4),
        answered({ category: 'hat', title: 'red hat', price: 10 }, { category: 'coat', title: 'blue', price: 10 }, 0.9),
        answered({ category: 'hat', title: 'red hat', price: 10 }, { category: 'hat', title: 'red coat', price: 12 }, 0.99),
    ];

    it('orders by the error of the price and leaves right ones out', () => {
        expect(worst(answers, 'price').map(one => [one.answer, one.value])).toEqual([
            [answers[0], 200], [answers[2], expect.closeTo(20)],
        ]);
    });

    it('orders wrong categories by confidence', () => {
        expect(worst(answers, 'category').map(one => one.answer)).toEqual([answers[1], answers[0]]);
    });

    it('orders titles by their words', () => {
        expect(worst(answers, 'title').map(one => one.value)).toEqual([1, 0.5]);
    });

    it('ends at the limit', () => expect(worst(answers, 'category', 1)).toHaveLength(1));
});

describe('reliabilityOf', () => {
    const bins = reliabilityOf([
        answered({ category: 'hat' }, { category: 'hat' }, 1),
        answered({ category: 'hat' }, { category: 'coat' }, 0.95),
        answered({ category: 'hat' }, { category: 'hat' }, 0.2),
        answered({}, { category: 'hat' }, 0.2),
    ]);

    it('counts by ranges of confidence, 1 in the last', () => {
        expect(bins.map(bin => bin.count)).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 0, 2]);
        expect(bins[9]).toMatchObject({ right: 1, from: 0.9 });
    });

    it('measures the distance of confidence and accuracy', () => {
        // |1 − 0.2| + |1 − 1.95| over three answers.
        expect(calibrationError(bins)).toBeCloseTo(1.75 / 3);
        expect(calibrationError(reliabilityOf([]))).toBeUndefined();
    });
});
