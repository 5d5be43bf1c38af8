import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { place } from '../../src/shell/router';
import Compare from '../../src/views/compare';
import Dataset from '../../src/views/dataset';
import Errors from '../../src/views/errors';
import Gallery from '../../src/views/gallery';
import NewRun from '../../src/views/new-run';
import Run from '../../src/views/run';
import { phaseStates } from '../../src/views/run-phases';
import type { RunView } from '../../src/views/run-state';
import Runs from '../../src/views/runs';
import RunTimeline from '../../src/views/timeline';
import { fakeApi, jsonl, problem } from '../fakes';
import { click, enter, find, hide, settle, show } from './page';

// It draws on a canvas, which the DOM of these tests does not have.
vi.mock('uplot', () => ({
    default: class {
        data: unknown;
        series: unknown[];
        scales = { x: {} };
        over = { clientHeight: 0 };
        constructor(options: { series: unknown[] }, data: unknown) {
            this.series = options.series;
            this.data = data;
        }
        setData(data: unknown) { this.data = data; }
        setSeries() {}
        setSize() {}
        setCursor() {}
        valToPos() { return 0; }
        redraw() {}
        destroy() {}
    },
}));

beforeEach(() => {
    // Everything is on the screen.
    vi.stubGlobal('IntersectionObserver', class {
        constructor(private readonly changed: (changes: { isIntersecting: boolean }[]) => void) {}
        observe() { queueMicrotask(() => this.changed([{ isIntersecting: true }])); }
        disconnect() {}
    });
});

afterEach(hide);

const times = { createdAt: '2026-05-01T12:00:00Z', lastUpdatedAt: '2026-05-01T12:10:00Z' };
const running: RunView = {
    run: 'first', runtimeStatus: 'Running', ...times,
    status: {
        phase: 'training',
        training: {
            run: 'first', at: times.createdAt, phase: 'training', step: 3, steps: 12, epoch: 0.5, etaSeconds: 90,
            trackers: [{ name: 'MLflow', url: 'https://mlflow.example/1' }, { name: 'TensorBoard', problem: 'no storage' }],
        },
    },
};

describe('phaseStates', () => {
    const states = (run: RunView) => phaseStates(run).map(({ state }) => state);

    it('tell what is done, in progress and open', () => {
        expect(states(running)).toEqual(['done', 'done', 'done', 'current', 'open', 'open']);
        expect(states({ ...running, runtimeStatus: 'Completed' })).toEqual(Array.from({ length: 6 }, () => 'done'));
    });

    it('tell where a run failed, and begin with the first phase', () => {
        expect(states({ ...running, runtimeStatus: 'Failed' })).toEqual(['done', 'done', 'done', 'failed', 'open', 'open']);
        const { status: _, ...fresh } = running;
        expect(states({ ...fresh, runtimeStatus: 'Pending' })[0]).toBe('current');
    });
});

describe('Run', () => {
    const metrics = () => jsonl([{ step: 0, epoch: 0, seconds: 0, validation: { loss: 5, samples: 1, generated: 0 } },
        { step: 1, epoch: 0.1, seconds: 1, loss: 4 }]);

    it('shows progress, trackers and curves of a run in progress', async () => {
        fakeApi({ 'GET /api/runs/first': running, 'GET /api/runs/first/metrics': metrics });
        const view = await show(Run, '#/runs/first', { run: 'first' });
        expect(find('[aria-current="step"]').textContent).toContain('step 3 of 12');
        expect(find('[aria-current="step"]').textContent).toContain('1 min 30 s left');
        expect(find<HTMLAnchorElement>('.trackers a').href).toBe('https://mlflow.example/1');
        expect(view.textContent).toContain('(no storage)');
        expect(find('.chart-legend').textContent).toContain('training 4');
    });

    it('cancels only after a confirmation', async () => {
        let run = running;
        const sent = fakeApi({
            'GET /api/runs/first': () => run, 'GET /api/runs/first/metrics': metrics,
            'POST /api/runs/first/cancel': () => run = { ...running, runtimeStatus: 'Terminated' },
        });
        const view = await show(Run, '#/runs/first', { run: 'first' });
        await click(find('button', 'Cancel the run'));
        await click(find('dialog button', 'Keep it running'));
        expect(sent.some(({ method }) => method === 'POST')).toBe(false);
        await click(find('button', 'Cancel the run'));
        await click(find('dialog button', 'Cancel the run'));
        expect(sent.some(({ method }) => method === 'POST')).toBe(true);
        expect(view.textContent).toContain('This run was cancelled');
    });

    it('shows the reason of a failure and the way out', async () => {
        fakeApi({
            'GET /api/runs/first': { ...running, runtimeStatus: 'Failed', error: 'The GPU job was lost.' },
            'GET /api/runs/first/metrics': metrics,
        });
        await show(Run, '#/runs/first', { run: 'first' });
        expect(find('[role="alert"]').textContent).toContain('The GPU job was lost.');
        expect(find<HTMLAnchorElement>('[role="alert"] a', 'same settings').hash).toBe('#/new-run?from=first');
    });
});

it('Gallery shows the answers at the step of the slider, differing words marked', async () => {
    fakeApi({
        'GET /api/runs/first': running,
        'GET /api/runs/first/samples': {
            samples: [{
                image: 'a.jpg', truth: 'Product: red coat',
                answers: [
                    { step: 0, answer: 'A photo' }, { step: 5, answer: 'Product: blue coat' }, { step: 9, answer: 'Product: red coat' },
                ],
            }],
        },
    });
    await show(Gallery, '#/runs/first/gallery', { run: 'first' });
    expect(find('.slide .badge').textContent).toBe('right');
    await enter(find('.gallery-bar input'), '1');
    expect(find('.gallery-step').textContent).toBe('step 5');
    expect(find('.slide ins').textContent).toContain('blue');
    expect(find('.slide del').textContent).toContain('red');
});

describe('Errors', () => {
    const answer = (key: string, category: string, answered: string, price: number) => ({
        model: 'fine-tuned', split: 'validation', answer: '', category: answered, price, confidence: { answer: 0.9, category: 0.9 },
        truth: { key, sha256: key, category, price: 10, title: key },
    });
    const pages: Record<string, object> = {
        '': { answers: [answer('a', 'hat', 'hat', 10), answer('b', 'hat', 'coat', 11)], continuation: '77' },
        '77': { answers: [answer('c', 'hat', 'coat', 50)] },
    };

    it('reads all pages and opens the samples of a cell', async () => {
        const sent = fakeApi({
            'GET /api/runs/first/summary': {
                run: 'first', dataset: 'o/n', trainingLoss: [], validationLoss: [],
                result: { fineTuned: { confusion: [{ truth: 'hat', answered: { coat: 2, hat: 1 } }] } },
            },
            'GET /api/runs/first/answers': ({ query }) => pages[query.get('continuation') ?? '']!,
        });
        await show(Errors, '#/runs/first/errors', { run: 'first' });
        expect(find('[role="status"]').textContent).toBe('3 answers');
        expect(find('.samples .sample').textContent).toContain('wrong, confidence 90 %');
        await click(find('button[aria-label="2 of 3 hat answered as coat"]'));
        expect([...document.querySelectorAll('dialog .sample .mono')].map(key => key.textContent)).toEqual(['b', 'c']);
        expect(sent.some(({ path, query }) => path === '/api/datasets/o/n/images/c' && query.get('width') === '160')).toBe(true);
        hide();
        await show(Errors, '#/runs/first/errors?field=price', { run: 'first' });
        expect(find('.samples .sample').textContent).toContain('Price: off by 400 %');
        expect(find('canvas').getAttribute('aria-label')).toContain('true price of 3 samples');
    });

    it('show further fields by their kind', async () => {
        const sample = (key: string, brand: string, weight: number, colours: string[]) => ({
            model: 'fine-tuned', split: 'validation', answer: '', confidence: { answer: 0.9, fields: { brand: 0.8 } },
            truth: { key, sha256: key, fields: { brand: 'Acme', weight: 100, colours: ['red', 'blue'] } },
            fields: { brand, weight, colours },
        });
        const metrics = (kind: string, more: object) => ({ kind, samples: 2, answered: {}, ...more });
        fakeApi({
            'GET /api/runs/first/summary': {
                run: 'first', dataset: 'o/n', trainingLoss: [], validationLoss: [],
                result: {
                    fineTuned: {
                        loss: 1, samples: 2, generated: 2,
                        fields: {
                            brand: metrics('category', { confusion: [{ truth: 'Acme', answered: { Bolt: 1, Acme: 1 } }] }),
                            weight: metrics('number', { unit: 'g' }), colours: metrics('list', {}),
                        },
                    },
                },
            },
            'GET /api/runs/first/answers': { answers: [sample('a', 'Acme', 105, ['blue', 'red']), sample('b', 'Bolt', 300, ['red'])] },
        });
        const view = await show(Errors, '#/runs/first/errors', { run: 'first' });
        // Nobody answers a title, and the first category is where it begins.
        expect([...view.querySelectorAll('.choice')].at(-1)!.textContent).toBe('Field Brand Weight Colours');
        expect(find('[aria-label="1 of 2 Acme answered as Bolt"]')).toBeTruthy();
        expect(view.textContent).toContain('1 of 2 right (50 %).');
        expect(view.textContent).toContain('Reliability of the confidence');
        await click(find('label', 'Weight').querySelector('input')!);
        expect(view.textContent).toContain('1 of 2 within ten percent');
        expect(find('input[type="range"]').getAttribute('aria-valuetext')).toBe('true 100 g, answered 105 g');
        await click(find('label', 'Colours').querySelector('input')!);
        expect(view.textContent).toContain('1 of 2 right in any order (50 %). Mean item F1: 83.3 %.');
        expect(find('.sample').textContent).toContain('Colours: item F1 67 %');
        expect(view.querySelector('canvas')).toBeNull();
    });

    it('asks for the answers of the other model', async () => {
        const sent = fakeApi({ 'GET /api/runs/first/answers': { answers: [] } });
        const view = await show(Errors, '#/runs/first/errors', { run: 'first' });
        await click(find('[role="tab"]', 'Base model'));
        expect(sent.filter(({ path }) => path.endsWith('/answers')).map(({ query }) => query.get('model'))).toEqual(['fine-tuned', 'base']);
        expect(view.textContent).toContain('There are no answers of the base model');
    });
});

describe('Dataset', () => {
    const path = '/datasets/o/n/abc/def';
    const params = { owner: 'o', name: 'n', commit: 'abc', view: 'def' };
    const report = {
        repo: 'o/n', commit: 'abc', view: 'def', columns: { image: 'i' }, splits: { train: 2 }, categories: { hat: 2 }, categoryCount: 1,
        seconds: 3,
        counts: { rows: 3, stored: 2, duplicates: 0, rejected: 1, rejectedBy: { timeout: 1 }, bytes: 10 },
    };
    const row = (index: number, more: object) =>
        ({ row: index, sourceSplit: 'train', split: 'train', state: 'stored', bytes: 1, width: 1, height: 1, ...more });

    it('reads on over empty pages, and filters by a reason', async () => {
        const sent = fakeApi({
            [`GET /api${path}`]: report,
            [`GET /api${path}/rows`]: ({ query }) => {
                if (query.get('reason')) return { rows: [row(7, { state: 'rejected', reason: 'timeout', detail: 'took too long' })] };
                return query.get('continuation') ? { rows: [row(0, { title: 'Red hat' })] } : { rows: [], continuation: 'more' };
            },
        });
        const view = await show(Dataset, `#${path}`, params);
        expect(find('.dataset-row').textContent).toContain('Red hat');
        await click(find('button', 'timeout'));
        expect(place.value.query.get('reason')).toBe('timeout');
        expect(find('.dataset-row').textContent).toContain('took too long');
        expect(view.querySelectorAll('.dataset-row')).toHaveLength(1);
        expect(sent.at(-1)!.query.get('top')).toBe('200');
        expect(find<HTMLAnchorElement>('a', 'New run on this dataset').hash).toBe('#/new-run?dataset=o%2Fn&commit=abc&view=def');
    });

    it('shows further fields, further images and what spoils training', async () => {
        const sent = fakeApi({
            [`GET /api${path}`]: {
                ...report,
                fields: {
                    brand: { kind: 'category', samples: 2, values: { Acme: 1, Bolt: 1 }, valueCount: 2 },
                    weight: {
                        kind: 'number', unit: 'g', samples: 2, numbers: { min: 1, mean: 2, max: 3, bins: [{ from: 1, to: 5, count: 2 }] },
                    },
                },
                warnings: [
                    { kind: 'single-labels', message: 'Two brands appear once. Join them.', count: 2, examples: ['Acme', 'Bolt'] },
                    {
                        kind: 'near-duplicates', message: 'One pair is in two splits.', count: 1,
                        pairs: [{
                            first: 'train/1', firstSplit: 'train', firstSha256: 'aa', second: 'train/2', secondSplit: 'test',
                            secondSha256: 'bb', distance: 3,
                        }],
                    },
                ],
            },
            [`GET /api${path}/rows`]: {
                rows: [row(0, {
                    title: 'Red hat', sha256: 'aa', fields: { brand: 'Acme', colours: ['red', 'blue'] }, mergedInto: 'train/7',
                    moreImages: ['c1', 'c2', 'c3', 'c4'].map(sha256 => ({ sha256, bytes: 1, width: 1, height: 1 })),
                })],
            },
        });
        const view = await show(Dataset, `#${path}`, params);
        expect(find('section', 'Brand: 2 values').textContent).toContain('Bolt1');
        expect(find('.histogram[aria-label^="Weight, g"]')).toBeTruthy();
        expect(find('.box-warn', 'single labels').textContent).toContain('Join them.Such as Acme, Bolt.');
        expect(find('.pair').textContent).toBe('train/1 in traintrain/2 in test');
        expect(find('.pairs').textContent).toContain('Differ in 3 of 64 bits');
        const images = sent.filter(({ path }) => path.includes('/images/')).map(({ path, query }) => `${path} ${query.get('width')}`);
        expect(images).toContain('/api/datasets/o/n/images/bb 320');
        expect(find('.dataset-row').textContent).toContain('Red hat Acme red; blue');
        expect(images).toContain('/api/datasets/o/n/images/c3 96');
        expect(find('.dataset-row').textContent).toContain('+1');
        expect(find('.dataset-row').textContent).toContain('train 0, in the sample of train/7');
        expect(view.textContent).not.toContain('Healed');
    });

    it('has rejected rows read again by their reasons, shows how, and what a view healed', async () => {
        const rejectedBy = { 'corrupt': 5, 'timeout': 2, 'not-found': 1 };
        let ended = {};
        const sent = fakeApi({
            [`GET /api${path}`]: {
                ...report, counts: { ...report.counts, rejectedBy },
                retry: { view: 'first', reasons: ['timeout'], rows: 4, healed: { timeout: 3 } },
            },
            [`GET /api${path}/rows`]: { rows: [] },
            [`POST /api${path}/retry`]: { id: 'ingest-2', commit: 'abc', management: {} },
            'GET /api/timelines/ingest-2': () => ({
                instance: 'ingest-2', name: 'IngestDataset', createdAt: times.createdAt, runtimeStatus: 'Running', leftOut: 0,
                spans: [{ kind: 'activity', name: 'PlanRetry', startedAt: times.createdAt, attempt: 1 }], ...ended,
            }),
        });
        const view = await show(Dataset, `#${path}`, params);
        expect(find('section', 'Healed by a second try').textContent).toContain('timeout3 (75 %)');
        await click(find('button', 'Try again…'));
        expect([...document.querySelectorAll('dialog label')].map(label => label.textContent)).toEqual([
            'corrupt 5 rows', 'timeout 2 rows', 'not-found 1 row',
        ]);
        expect(find('dialog button', 'Read 3 again')).toBeTruthy();
        await click(find('dialog label', 'not-found').querySelector('input')!);
        await click(find('dialog button', 'Read 2 again'));
        expect(sent.find(({ method }) => method === 'POST')!.content).toEqual({ reasons: ['timeout'] });
        expect(place.value.query.get('retry')).toBe('ingest-2');
        expect(view.textContent).toContain('PlanRetry');
        ended = { runtimeStatus: 'Completed', endedAt: times.lastUpdatedAt };
        await show(Dataset, `#${path}?retry=ingest-2`, params);
        expect(find<HTMLAnchorElement>('a', 'Its view is the newest').hash).toBe('#/datasets?repo=o%2Fn');
        await click(find('button', 'Hide'));
        expect(place.value.query.has('retry')).toBe(false);
    });

    it('says why rows cannot be read again', async () => {
        fakeApi({
            [`GET /api${path}`]: report, [`GET /api${path}/rows`]: { rows: [] },
            [`POST /api${path}/retry`]: problem(409, 'A retry of this view is in progress.'),
        });
        await show(Dataset, `#${path}`, params);
        await click(find('button', 'Try again…'));
        await click(find('dialog button', 'Read 1 again'));
        expect(find('dialog [role="alert"]').textContent).toContain('in progress');
        expect(find('dialog button', 'Read 1 again').hasAttribute('disabled')).toBe(false);
    });

    it('keeps the rows that were read when the next page fails', async () => {
        fakeApi({
            [`GET /api${path}`]: report,
            [`GET /api${path}/rows`]: ({ query }) =>
                (query.get('continuation')
                    ? problem(503, 'It does not work.')
                    : { rows: [row(0, { title: 'Red hat' })], continuation: 'more' }),
        });
        const view = await show(Dataset, `#${path}`, params);
        expect(view.textContent).toContain('Red hat');
        expect(find('[role="alert"]').textContent).toContain('It does not work.');
    });
});

describe('Runs', () => {
    const evaluation = { loss: 1, samples: 1, generated: 1, categoryAccuracy: 0.8, majorityCategoryAccuracy: 0.3 };
    const summary = (run: string, learnt = evaluation) => ({
        run, dataset: 'o/n', trainingLoss: [{ step: 1, value: 3 }, { step: 2, value: 2 }], validationLoss: [],
        result: { run, succeeded: true, steps: 2, trainingSamples: 4, seconds: 9, droppedSamples: 0, fineTuned: learnt },
    });
    const runs = ['a', 'b', 'c'].map(run => ({ run, runtimeStatus: 'Completed', ...times }));

    it('show summaries, filter by status, and lead to a comparison', async () => {
        const sent = fakeApi({
            'GET /api/runs': { runs }, 'GET /api/runs/a/summary': summary('a'), 'GET /api/runs/b/summary': summary('b'),
            'GET /api/runs/c/summary': summary('c'),
        });
        await show(Runs, '#/runs');
        expect(find('tbody tr').textContent).toContain('80 %majority 30 %');
        expect(find('.sparkline').getAttribute('aria-label')).toBe('training loss from 3 to 2');
        await click(find('[aria-label="Compare a"]'));
        await click(find('[aria-label="Compare c"]'));
        expect(find<HTMLAnchorElement>('a', 'Compare 2 runs').hash).toBe('#/compare?runs=a%2Cc');
        await click(find('label', 'Failed').querySelector('input')!);
        expect(sent.at(-1)).toMatchObject({ path: '/api/runs/c/summary' });
        expect(sent.some(({ path, query }) => path === '/api/runs' && query.get('status') === 'Failed')).toBe(true);
    });

    it('are compared by settings and metrics, the best marked', async () => {
        fakeApi({
            'GET /api/runs/a/summary': summary('a'), 'GET /api/runs/b/summary': summary('b', { ...evaluation, loss: 0.5 }),
            'GET /api/runs/a/request': { training: { seed: 1, epochs: 2 } },
            'GET /api/runs/b/request': { training: { seed: 2, epochs: 2 } },
        });
        await show(Compare, '#/compare?runs=a,b');
        const cells = [...find('tbody tr', 'Loss').querySelectorAll('td')].map(cell => cell.textContent);
        expect(cells).toEqual([' 1', 'best 0.5−0.5']);
        expect(find('[aria-label="Settings that differ, table"] tbody').textContent).toBe('training.seed12');
    });
});

describe('NewRun', () => {
    const inspection = {
        repo: 'o/n', commit: '0123456789abcdef', configs: ['default'], config: 'default',
        splits: { train: { files: 1, bytes: 9, rows: 5 } },
        columns: [{ name: 'photo', type: 'string' }, { name: 'label', type: 'string' }], sampleRows: [{ photo: 'https://x/1.jpg' }],
        mapping: { image: 'photo' }, guess: 'photo has URLs',
    };
    const field = (path: string) => find<HTMLInputElement>(`[name="${path}"]`);

    it('makes the request of guessed columns and entered settings, and starts it', async () => {
        const sent = fakeApi({
            'POST /api/datasets/inspect': inspection, 'POST /api/runs': { run: 'new', statusUrl: '/api/runs/new' },
        });
        const view = await show(NewRun, '#/new-run');
        await enter(field('dataset.repo'), 'o/n');
        await click(find('button', 'Inspect'));
        expect(view.textContent).toContain('photo has URLs');
        expect(field('dataset.columns.image').value).toBe('photo');
        await enter(field('dataset.columns.category'), 'label');
        await enter(field('training.learningRate'), '0.001');
        await click(find('button', 'Start the run'));
        expect(sent.at(-1)!.content).toEqual({
            dataset: { repo: 'o/n', columns: { image: 'photo', category: 'label' } }, training: { learningRate: 0.001 },
        });
        expect(find('aside pre').textContent).toBe(JSON.stringify(sent.at(-1)!.content, null, 2));
        expect(window.location.hash).toBe('#/runs/new');
    });

    it('offers the other columns as further fields and shows what the model will answer', async () => {
        const columns = [
            { name: 'photo', type: 'string' }, { name: 'Brand name', type: 'string' }, { name: 'weight', type: 'double' },
            { name: 'colours', type: 'list<string>' },
        ];
        const sent = fakeApi({
            'POST /api/datasets/inspect': {
                ...inspection, columns, form: "CSV, 2 files, separator ';'",
                mapping: { image: 'photo', fields: { colours: { column: 'colours', kind: 'list' } } },
                warnings: [{ kind: 'mixed-currencies', message: 'Prices are in € and $.', count: 2 }],
            },
            'POST /api/runs': problem(400, 'Wrong.', {
                errors: [{ field: 'dataset.columns.fields.brand.column', message: 'is no column' }],
            }),
        });
        const view = await show(NewRun, '#/new-run');
        await click(find('label', 'Folder in blob storage').querySelector('input')!);
        expect(view.textContent).toContain('container is missing');
        await enter(field('dataset.source.container'), 'shop');
        await enter(field('dataset.source.prefix'), 'spring/');
        await click(find('button', 'Inspect'));
        expect(sent.at(-1)!.content).toEqual({ source: { container: 'shop', prefix: 'spring/' } });
        expect(view.textContent).toContain("Read as CSV, 2 files, separator ';'");
        expect(view.textContent).toContain('Prices are in € and $.');
        // A column that has a role is none.
        expect([...view.querySelectorAll('button')].map(one => one.textContent).filter(one => one.startsWith('Add ')))
            .toEqual(['Add Brand name', 'Add weight']);
        await click(find('button', 'Add Brand name'));
        await click(find('button', 'Add weight'));
        const row = (column: string) => find('.field-row', column);
        expect(row('Brand name').querySelector('input')!.value).toBe('brandName');
        await enter(row('Brand name').querySelector('input')!, 'weight');
        expect(row('Brand name').textContent).toContain('Another field has this name.');
        expect(find('button', 'Start the run').hasAttribute('disabled')).toBe(true);
        await enter(row('Brand name').querySelector('input')!, 'brand');
        await enter(row('Brand name').querySelector('select')!, 'category');
        await enter(row('Column weight').querySelectorAll('input')[1]!, 'g');
        expect(find('section', 'The model learns').textContent).toContain(
            'Full Price: {price}, Colours: {colours}, Brand: {brand}, Weight: {weight} g');
        await enter(field('dataset.images'), 'prompt');
        await enter(field('dataset.maxImages'), '3');
        await click(find('button', 'Start the run'));
        expect(sent.at(-1)!.content).toEqual({
            dataset: {
                source: { container: 'shop', prefix: 'spring/' }, images: 'prompt', maxImages: 3,
                columns: {
                    image: 'photo',
                    fields: {
                        colours: { column: 'colours', kind: 'list' }, brand: { column: 'Brand name', kind: 'category' },
                        weight: { column: 'weight', kind: 'number', unit: 'g' },
                    },
                },
            },
        });
        expect(row('Brand name').textContent).toContain('is no column');
        await click(find('[aria-label="Remove weight"]'));
        await click(find('label', 'Repository on the Hugging Face Hub').querySelector('input')!);
        expect(JSON.parse(find('aside pre').textContent).dataset).toEqual({
            images: 'prompt', maxImages: 3,
            columns: {
                image: 'photo',
                fields: { colours: { column: 'colours', kind: 'list' }, brand: { column: 'Brand name', kind: 'category' } },
            },
        });
    });

    it('begins with the source and the further fields of another run', async () => {
        const dataset = {
            source: { container: 'shop' }, columns: { image: 'photo', fields: { weight: { column: 'w', kind: 'number', unit: 'g' } } },
        };
        const answerTemplate = 'Product: {title}, Category: {category}, Full Price: {price}, Weight: {weight}';
        fakeApi({ 'GET /api/runs/first/request': { run: 'first', dataset: { repo: '', ...dataset }, training: { answerTemplate } } });
        await show(NewRun, '#/new-run?from=first');
        expect(field('dataset.source.container').value).toBe('shop');
        expect(JSON.parse(find('aside pre').textContent)).toEqual({
            dataset: { source: dataset.source, columns: { ...dataset.columns, image: 'photo' } },
        });
    });

    it('trains on an ingested dataset as it is, and on another one after that', async () => {
        const sent = fakeApi({ 'POST /api/runs': { run: 'second', statusUrl: '' } });
        const view = await show(NewRun, '#/new-run?dataset=shop/all&commit=abc&view=def');
        expect([...view.querySelectorAll('[name^="dataset."]')].map(one => one.getAttribute('name')))
            .toEqual(['dataset.repo', 'dataset.revision', 'dataset.view']);
        expect(find('button', 'Start the run').hasAttribute('disabled')).toBe(false);
        await click(find('label', 'Repository on the Hugging Face Hub').querySelector('input')!);
        expect(JSON.parse(find('aside pre').textContent)).toEqual({ dataset: { repo: 'shop/all' } });
        await enter(field('dataset.maxRows'), '5');
        await click(find('label', 'Ingested dataset').querySelector('input')!);
        expect(view.textContent).toContain('commit and settings are missing');
        await enter(field('dataset.revision'), 'abc');
        await enter(field('dataset.view'), 'def');
        await click(find('button', 'Start the run'));
        expect(sent.at(-1)!.content).toEqual({ dataset: { repo: 'shop/all', revision: 'abc', view: 'def' } });
    });

    it.each([
        { name: 'a view', dataset: { repo: 'shop/all', revision: 'abc', view: 'def' } },
        // The files of the folder may have changed since: its commit is a matter of that run.
        { name: 'a folder', dataset: { source: { container: 'shop' }, revision: 'abc' }, again: { source: { container: 'shop' } } },
        { name: 'a commit', dataset: { repo: 'o/n', revision: 'abc' } },
    ])('begins with $name of another run', async ({ dataset, again }) => {
        fakeApi({ 'GET /api/runs/first/request': { run: 'first', dataset } });
        await show(NewRun, '#/new-run?from=first');
        expect(JSON.parse(find('aside pre').textContent)).toEqual({ dataset: again ?? dataset });
    });

    it('begins with the settings of another run and shows the errors of the API at their fields', async () => {
        fakeApi({
            'GET /api/runs/first/request': { run: 'first', dataset: { repo: 'o/n' }, training: { method: 'lora', lora: { rank: 4 } } },
            'POST /api/runs': problem(400, 'It does not work.', { errors: [{ field: 'training.lora.rank', message: 'is too low' }] }),
        });
        await show(NewRun, '#/new-run?from=first');
        expect(field('training.lora.rank').value).toBe('4');
        await click(find('button', 'Start the run'));
        expect(field('training.lora.rank').getAttribute('aria-invalid')).toBe('true');
        expect(find('.field-error', 'is too low').closest('.field')!.querySelector('[name="training.lora.rank"]')).not.toBeNull();
    });
});

it('Timeline tells retries and failures, and opens a sub-orchestration', async () => {
    const span = (kind: string, name: string, more: object = {}) =>
        ({ kind, name, startedAt: times.createdAt, endedAt: times.lastUpdatedAt, attempt: 1, ...more });
    const timeline = (instance: string, spans: object[]) => ({
        instance, name: 'FineTune', runtimeStatus: 'Completed', createdAt: times.createdAt, endedAt: times.lastUpdatedAt, leftOut: 0, spans,
    });
    fakeApi({
        'GET /api/timelines/first': timeline('first', [
            span('subOrchestration', 'IngestDataset', { instance: 'first.ingest' }),
            span('activity', 'Mirror', { error: 'The Hub is away.' }),
            span('activity', 'Mirror', { attempt: 2, startedAt: times.lastUpdatedAt }), span('timer', ''),
        ]),
        'GET /api/timelines/first.ingest': timeline('first.ingest', [span('activity', 'FetchFile')]),
    });
    const view = await show(RunTimeline, '#/runs/first/timeline', { run: 'first' });
    expect(find('.timeline-name', 'Mirror').textContent).toBe('Mirror 10 min 00 s, 2×, 1 retry, 1 failed');
    expect(find('.timeline-failures').textContent).toBe('The Hub is away.');
    expect(find('.timeline-name', 'Waiting')).toBeTruthy();
    await click(find('button', 'IngestDataset'));
    await settle();
    expect(view.textContent).toContain('FetchFile');
});
