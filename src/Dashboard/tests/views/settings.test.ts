import { describe, expect, it } from 'vitest';
import { bestOf, differences } from '../../src/views/compare-settings';
import { curlOf, requestOf, setting, settings, valuesOf } from '../../src/views/new-run-settings';

describe('differences', () => {
    it('lists settings by path, whatever their nesting, and leaves equal ones and names out', () => {
        expect(differences([
            { run: 'a', training: { learningRate: 1, lora: { targets: ['x'] } }, publish: true },
            { run: 'b', training: { learningRate: 2, lora: { targets: ['x'] }, seed: 1 }, publish: true },
        ])).toEqual([{ path: 'training.learningRate', values: [1, 2] }, { path: 'training.seed', values: [undefined, 1] }]);
    });
});

describe('bestOf', () => {
    it('marks all of the best and none when there is nothing to compare', () => {
        expect([...bestOf([3, 1, undefined, 1], false)]).toEqual([1, 3]);
        expect([...bestOf([3, 1], true)]).toEqual([0]);
        expect(bestOf([undefined, 1], true).size).toBe(0);
        expect(bestOf([1, 1], true).size).toBe(0);
    });
});

describe('settings', () => {
    it('come with the description and the default of the API', () => {
        expect(setting('training.learningRate')).toMatchObject({ type: 'number', fallback: 0.0001, label: 'learning rate' });
        expect(setting('training.visionTower.train')).toMatchObject({ options: ['true', 'false'], label: 'vision tower: train' });
        expect(settings.filter(({ description }) => description === '').map(({ path }) => path)).toEqual([]);
    });

    it('refuse a path that the request has not', () => expect(() => setting('training.speed')).toThrow('training.speed'));
});

describe('requestOf', () => {
    it('has only what was entered, in its types', () => {
        expect(requestOf({
            'dataset.repo': 'a/b', 'dataset.maxRows': '100', 'training.learningRate': '2e-4', 'training.packing': 'false',
            'training.lora.targets': 'qkv_proj, o_proj', 'training.epochs': '',
        })).toEqual({
            dataset: { repo: 'a/b', maxRows: 100 },
            training: { learningRate: 0.0002, packing: false, lora: { targets: ['qkv_proj', 'o_proj'] } },
        });
    });

    it('leaves a text that is no number to the API, which says what is wrong', () => {
        expect(requestOf({ 'training.epochs': 'three' })).toEqual({ training: { epochs: 'three' } });
    });
});

describe('valuesOf', () => {
    it('has what differs from the defaults, and makes the same request again', () => {
        const request = { dataset: { repo: 'a/b' }, training: { learningRate: 0.001, packing: false, lora: { targets: ['x', 'y'] } } };
        const values = valuesOf({ ...request, run: 'first', publish: true, training: { ...request.training, epochs: 3 } });
        expect(Object.keys(values)).toEqual(['dataset.repo', 'training.learningRate', 'training.packing', 'training.lora.targets']);
        expect(requestOf(values)).toEqual(request);
    });
});

it('quotes the body for a shell', () => {
    const command = curlOf('http://localhost/api/runs', { training: { question: "What's this?" } });
    expect(command).toContain(`"What'\\''s this?"`);
    expect(command).toContain('x-functions-key: …');
});
