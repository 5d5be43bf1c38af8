import { describe, expect, it } from 'vitest';
import {
    editedValue, formatValue, kindOf, known, labelOf, namesOf, parseValue, toLabels, valueOf,
} from '../src/format/fields';
import { headlinesOf, metricsOf } from '../src/format/metrics';

const labels = { title: 'Red hat', price: 1290, fields: { weight: 80, brand: 'Acme', colours: ['red', 'dark blue'] } };

describe('fields', () => {
    it('are title, category and price, then all others', () => {
        expect(namesOf(labels, undefined, { fields: { brand: 1, made: 1 } }))
            .toEqual(['title', 'category', 'price', 'weight', 'brand', 'colours', 'made']);
        expect(known(labels).map(([name]) => name)).toEqual(['title', 'price', 'weight', 'brand', 'colours']);
        expect([valueOf(labels, 'price'), valueOf(labels, 'brand'), valueOf(labels, 'category')]).toEqual([1290, 'Acme', undefined]);
    });

    it('have the kind of their JSON type', () => {
        expect(['title', 'category', 'price'].map(name => kindOf(name, undefined))).toEqual(['text', 'category', 'number']);
        expect(known(labels).slice(2).map(([name, value]) => kindOf(name, value))).toEqual(['number', 'text', 'list']);
    });

    it('are shown with labels and units', () => {
        expect(labelOf('countryOfOrigin')).toBe('Country of origin');
        expect([formatValue(1290, 'g'), formatValue(['a', 'b']), formatValue('x'), formatValue(undefined)])
            .toEqual(['1,290 g', 'a; b', 'x', '–']);
    });

    it('are the same after they were edited as texts', () => {
        const values = known(labels).map(([name, value]) => [name, parseValue(kindOf(name, value), editedValue(value))!] as const);
        expect(toLabels(values)).toEqual(labels);
        expect(toLabels([['title', 'x']])).toEqual({ title: 'x' });
        expect([parseValue('number', ' '), parseValue('list', 'a;; b ')]).toEqual([undefined, ['a', 'b']]);
    });
});

describe('metricsOf', () => {
    const evaluation = {
        loss: 1, samples: 2, generated: 2, titleF1: 0.5, titleExactMatch: 0.1, categoryAccuracy: 0.9, majorityCategoryAccuracy: 0.3,
        fields: {
            weight: { kind: 'number' as const, unit: 'g', samples: 2, answered: { medianError: 12, withinTenPercent: 0.4 },
                baseline: { medianError: 40, withinTenPercent: 0.1 } },
            colours: { kind: 'list' as const, samples: 2, answered: { f1: 0.7, exactMatch: 0.6 } },
        },
    };
    const rows = metricsOf([undefined, evaluation]).map(metric =>
        [metric.label, metric.format(metric.value(evaluation)), metric.baseline ? metric.format(metric.baseline(evaluation)) : '']);

    it('has the figures of each field by its kind, and only those that were measured', () => {
        expect(rows).toEqual([
            ['Title word F1', '50 %', '–'], ['Title exact match', '10 %', '–'], ['Category accuracy', '90 %', '30 %'],
            ['Weight within 10 %', '40 %', '10 %'], ['Weight median error, g', '12', '40'],
            ['Colours item F1', '70 %', '–'], ['Colours exact match', '60 %', '–'], ['Loss (nats per token)', '1', ''],
        ]);
    });

    it('has one headline a field', () => {
        expect(headlinesOf([evaluation]).map(metric => metric.label))
            .toEqual(['Title word F1', 'Category accuracy', 'Weight within 10 %', 'Colours item F1']);
        expect(headlinesOf([undefined])).toEqual([]);
    });
});
