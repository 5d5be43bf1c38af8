import { render } from 'preact';
import { act } from 'preact/test-utils';
import { beforeEach, expect, test, vi } from 'vitest';
import { App } from '../src/shell/App';
import { parsePlace, place } from '../src/shell/router';
import { offered } from '../src/shell/uploads';
import { fakeApi, json, problem, type Reply, until } from './fakes';

const at = '2026-05-01T12:00:00Z';
const coat = {
    status: 'predicted', image: 'spring/a.jpg', eTag: '"1"', title: 'Green Coat', category: 'Coats', price: 630, answer: 'Green Coat, 630',
    confidence: { answer: 0.5, title: 0.9, category: 0.99, price: 0.3 }, model: 'm2', seconds: 1.2, tries: 1, queueSeconds: 3, at,
};
const bag = { ...coat, image: 'bag.jpg', title: 'Bag', fields: { brand: 'Acme', colours: ['red', 'blue'] } };
const failed = {
    status: 'failed', image: 'b.jpg', eTag: '"2"', reason: 'out-of-patience', detail: 'No worker.', seconds: 0, tries: 9,
    queueSeconds: 60, at,
};
const evaluation = { loss: 0.5, samples: 10, generated: 10, categoryAccuracy: 0.9 };
const models = [
    {
        version: 'm2', serves: true, completedAt: at, run: 'r2', fineTuned: evaluation, base: { ...evaluation, categoryAccuracy: 0.1 },
        card: '# Card',
    },
    { version: 'm1', serves: false, completedAt: at, run: 'r1', fineTuned: { ...evaluation, categoryAccuracy: 0.7 } },
];

const usual: Record<string, Reply> = {
    'GET /api/health/details': json({ storage: 'ok', worker: 'unreachable: refused' }),
    'GET /api/models/current': json({ version: 'm2', run: 'r2', validationLoss: 0.5, dataset: 'd', publishedAt: at }),
    'GET /api/models/history': json({ changes: [{ at, version: 'm2', before: 'm1', reason: 'It is better.' }] }),
    'GET /api/models': json({ models }),
    'GET /api/predictions/counts': json({ predicted: 1, rejected: 0, failed: 1, lowConfidence: 1, waiting: 0, isComplete: true }),
    'GET /api/predictions?status=predicted': json({ predictions: [coat, bag] }),
    'GET /api/predictions?status=failed': json({ predictions: [failed] }),
    'GET /api/predictions/spring/a.jpg/correction': problem(404, 'none'),
    'GET /api/predictions/spring/a.jpg/timeline': json({
        instance: 'i', name: 'ReadImage', runtimeStatus: 'Completed', createdAt: at, endedAt: at, leftOut: 0,
        spans: [{ kind: 'activity', name: 'AskWorker', startedAt: at, endedAt: at, attempt: 2, error: 'No worker' }],
    }),
    'GET /api/predictions/spring/a.jpg': json(coat),
    'GET /api/images/': () => new Response('image'),
};

const text = (): string => document.body.textContent ?? '';
const $ = <E extends HTMLElement>(selector: string): E => document.querySelector<E>(selector)!;
const button = (label: string): HTMLButtonElement =>
    [...document.querySelectorAll('button')].find(one => one.textContent?.startsWith(label))!;
const click = (label: string): Promise<void> => act(() => button(label).click());
const type = (selector: string, value: string): Promise<void> => act(() => {
    const input = $<HTMLInputElement>(selector);
    input.value = value;
    input.dispatchEvent(new Event('input', { bubbles: true }));
});
const submit = (selector: string): Promise<void> => act(() => {
    $(selector).dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }));
});

async function open(hash: string, replies: Record<string, Reply> = {}): Promise<Request[]> {
    const requests = fakeApi({ ...replies, ...usual });
    // happy-dom tells of a changed hash later than a browser does.
    history.replaceState(null, '', hash);
    place.value = parsePlace(hash);
    await act(() => render(<App />, document.body));
    return requests;
}

beforeEach(() => { offered.value = null; });

test('The shell tells the state of the services and which model serves', async () => {
    await open('#/uploads');
    await until(() => text().includes('unreachable: refused') && text().includes('Serving m2'));
    expect($('nav [aria-current=page]').textContent).toBe('Uploads');
});

test('A place without a view says so', async () => {
    await open('#/nowhere');
    expect($('h1').textContent).toBe('Not found');
});

test('Uploads are listed with answer, confidence and counts; another tab asks for another status', async () => {
    const requests = await open('#/uploads');
    await until(() => text().includes('Green Coat'));
    expect($('a.upload').getAttribute('href')).toBe('#/uploads/spring%2Fa.jpg');
    expect($('.share').className).toContain('share-low');
    expect([...document.querySelectorAll('.upload-answer')].map(one => one.textContent))
        .toEqual(['Green CoatCoats630', 'BagCoats630Acmered; blue']);
    await until(() => $('#tab-failed').textContent === 'Failed1');
    await act(() => $('#tab-failed').click());
    await until(() => text().includes('out-of-patience'));
    expect(requests.some(request => request.url.includes('status=failed'))).toBe(true);
});

test('All that failed are retried after a question', async () => {
    const requests = await open('#/uploads?show=failed', { 'POST /api/predictions/retry?status=failed': json({ id: 'x' }, 202) });
    await until(() => button('Retry all'));
    await click('Retry all');
    expect(requests.some(request => request.method === 'POST')).toBe(false);
    await click('Read again');
    await until(() => requests.some(request => request.method === 'POST'));
    await until(() => text().includes('being read again'));
});

test('An image shows its answer, the confidence of each field and its history', async () => {
    await open('#/uploads/spring%2Fa.jpg');
    await until(() => text().includes('AskWorker'));
    const shares = [...document.querySelectorAll('.confidence .share-number')].map(one => one.textContent);
    expect(shares).toEqual(['50 %', '90 %', '99 %', '30 %']);
    expect($('.timeline-name').textContent).toContain('1 retry, 1 failed');
    expect($('.timeline-failures').textContent).toBe('No worker');
});

test('A failed image says what to do', async () => {
    await open('#/uploads/b.jpg', {
        'GET /api/predictions/b.jpg/timeline': problem(404, 'purged'), 'GET /api/predictions/b.jpg/correction': problem(404, 'none'),
        'GET /api/predictions/b.jpg': json(failed),
    });
    await until(() => text().includes('Once it runs and a model serves'));
    await until(() => text().includes('has been purged'));
});

test('A correction starts from the answer, names the version, and shows errors at their fields', async () => {
    let isRefused = true;
    const requests = await open('#/uploads/spring%2Fa.jpg', {
        'PUT /api/predictions/spring/a.jpg/correction': () => isRefused
            ? problem(400, 'price is too high', { field: 'price' })
            : json({ ...coat, at }),
    });
    await until(() => button('Correct the answer'));
    await click('Correct the answer');
    expect(document.activeElement).toBe($('form input'));
    expect($<HTMLInputElement>('form input').value).toBe('Green Coat');
    await type('input[type=number]', '12.5');
    await submit('form');
    await until(() => $('.field-error'));
    expect($('input[type=number]').getAttribute('aria-invalid')).toBe('true');
    isRefused = false;
    await submit('form');
    await until(() => text().includes('The correction is stored'));
    const put = requests.findLast(request => request.method === 'PUT')!;
    expect(put.headers.get('If-Match')).toBe('"1"');
    expect(await put.json()).toEqual({ title: 'Green Coat', category: 'Coats', price: 12.5 });
});

test('An answer that is being replaced is looked for sooner', async () => {
    let answer = failed;
    const requests = await open('#/uploads/b.jpg', {
        'GET /api/predictions/b.jpg/timeline': problem(404, 'purged'), 'GET /api/predictions/b.jpg/correction': problem(404, 'none'),
        'GET /api/predictions/b.jpg': () => json(answer), 'POST /api/predictions/b.jpg/retry': json({ id: 'x' }, 202),
    });
    await until(() => button('Read again'));
    vi.useFakeTimers();
    await act(() => button('Read again').click());
    await act(async () => { await vi.advanceTimersByTimeAsync(10); });
    answer = { ...failed, at: '2026-05-01T12:00:09Z', detail: 'Still away.' };
    await act(async () => { await vi.advanceTimersByTimeAsync(2100); });
    expect(text()).toContain('Still away.');
    const asked = () => requests.filter(({ method, url }) => method === 'GET' && url.endsWith('/b.jpg')).length;
    const before = asked();
    await act(async () => { await vi.advanceTimersByTimeAsync(10_000); });
    expect(asked()).toBe(before);
    vi.useRealTimers();
});

test('Further fields are shown with their confidence and can be corrected, in the kinds of their values', async () => {
    const detailed = {
        ...coat, image: 'spring/b.jpg', fields: { brand: 'Acme', colours: ['red', 'blue'], weight: 80 },
        confidence: { ...coat.confidence, fields: { brand: 0.97, colours: 0.2, weight: 0.8 } },
    };
    const requests = await open('#/uploads/spring%2Fb.jpg', {
        'PUT /api/predictions/spring/b.jpg/correction': problem(400, 'has a semicolon', { field: 'fields.colours[0]' }),
        'GET /api/predictions/spring/b.jpg/correction': problem(404, 'none'),
        'GET /api/predictions/spring/b.jpg/timeline': problem(404, 'purged'),
        'GET /api/predictions/spring/b.jpg': json(detailed),
    });
    await until(() => button('Correct the answer'));
    expect($('.answer-facts').textContent).toBe('TitleGreen CoatCategoryCoatsPrice630BrandAcmeColoursred; blueWeight80');
    expect([...document.querySelectorAll('.confidence dt')].map(one => one.textContent))
        .toEqual(['Answer', 'Title', 'Category', 'Price', 'Brand', 'Colours', 'Weight']);
    await click('Correct the answer');
    const inputs = [...document.querySelectorAll<HTMLInputElement>('form input')];
    expect(inputs.map(input => [input.type, input.value]).slice(3)).toEqual([['text', 'Acme'], ['text', 'red; blue'], ['number', '80']]);
    const enter = (input: HTMLInputElement, value: string) => act(() => {
        input.value = value;
        input.dispatchEvent(new Event('input', { bubbles: true }));
    });
    await enter(inputs[3]!, ' Bolt ');
    await enter(inputs[4]!, 'green;red');
    await enter(inputs[5]!, '');
    await submit('form');
    await until(() => $('.field-error'));
    expect($('.field-error').closest('label')!.textContent).toContain('Colours');
    expect(await requests.findLast(request => request.method === 'PUT')!.json()).toEqual({
        title: 'Green Coat', category: 'Coats', price: 630, fields: { brand: 'Bolt', colours: ['green', 'red'] },
    });
});

test('A model is activated with a reason', async () => {
    const requests = await open('#/models?model=m1', { 'POST /api/models/m1/activate': json({ version: 'm1' }) });
    await until(() => button('Activate…'));
    await click('Activate…');
    await type('dialog form input', 'prices');
    await submit('dialog form');
    await until(() => text().includes('m1 serves now'));
    expect(await requests.find(request => request.method === 'POST')!.json()).toEqual({ reason: 'prices' });
});

test('Two models are compared: the better direction is marked', async () => {
    await open('#/models?compare=m1,m2');
    await until(() => text().includes('It is better.'));
    const row = [...document.querySelectorAll('tr')].find(row => row.textContent?.startsWith('Category accuracy'))!;
    expect(row.textContent).toBe('Category accuracy70 %90 %+20 %');
    expect(row.querySelector('.good-text')).not.toBeNull();
});

test('An image that is offered is asked about, and the answer grows', async () => {
    const requests = await open('#/uploads', { 'POST /api/predict': json(coat) });
    await act(() => { offered.value = { files: [new File(['x'], 'a.png', { type: 'image/png' })], prefix: '' }; });
    await until(() => button('Ask the model'));
    await click('Ask the model');
    await until(() => $('.answer-facts'));
    expect($('.answer-facts').textContent).toContain('Green Coat');
    expect(requests.some(request => request.method === 'PUT')).toBe(false);
});

test('An upload replaces nothing unless that is said', async () => {
    const requests = await open('#/uploads', {
        'PUT /api/images/spring/a.png': request => request.headers.has('If-None-Match')
            ? problem(412, 'taken')
            : json({ image: 'spring/a.png', eTag: '"3"', predictionUrl: '' }),
    });
    await act(() => { offered.value = { files: [new File(['x'], 'a.png', { type: 'image/png' })], prefix: 'spring/' }; });
    await until(() => button('Upload it'));
    await click('Upload it');
    expect($<HTMLInputElement>('dialog form input').value).toBe('spring/a.png');
    await submit('dialog form');
    await until(() => text().includes('There is an image of this name'));
    await act(() => $('dialog input[type=checkbox]').click());
    await submit('dialog form');
    await until(() => text().includes('was uploaded'));
    expect(requests.filter(request => request.method === 'PUT')).toHaveLength(2);
});

test('Several files are uploaded with the state of each', async () => {
    await open('#/uploads', {
        'PUT /api/images/a.png': json({}, 201), 'PUT /api/images/b.png': problem(412, 'taken'),
        'PUT /api/images/c.png': problem(413, 'Too large'),
    });
    const files = ['a', 'b', 'c'].map(name => new File(['x'], `${name}.png`, { type: 'image/png' }));
    await act(() => { offered.value = { files, prefix: '' }; });
    await until(() => button('Upload'));
    await act(() => $('dialog button.primary').click());
    await until(() => text().includes('1 of 3 uploaded'));
    expect([...document.querySelectorAll('.file-list li')].map(item => item.textContent))
        .toEqual(['a.pnguploaded', 'b.pngname is taken', 'c.pngToo large']);
    expect(button('Replace 1 image')).toBeDefined();
});
