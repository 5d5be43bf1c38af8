import { describe, expect, test } from 'vitest';
import { apiUrl, call, get, orNull } from '../src/api/client';
import { ApiError } from '../src/api/errors';
import { askForKeyAgain, currentKey, keyQuestion } from '../src/api/key';
import { fakeApi, json, problem, until } from './fakes';

const run = { path: { run: 'first' } };
const fails = async (promise: Promise<unknown>): Promise<ApiError> => {
    const thrown = await promise.then(() => { throw new Error('It did not fail.'); }, (e: unknown) => e);
    expect(thrown).toBeInstanceOf(ApiError);
    return thrown as ApiError;
};

describe('URLs', () => {
    test('are relative to where the page is', () => {
        expect(apiUrl('/api/models')).toBe('http://localhost/api/models');
    });

    test('keep the slashes of names and encode the rest', () => {
        expect(apiUrl('/api/images/{name}', { path: { name: 'a b/c#d?%.jpg' } })).toBe('http://localhost/api/images/a%20b/c%23d%3F%25.jpg');
    });

    test('leave out empty parameters', () => {
        expect(apiUrl('/api/predictions', { query: { prefix: '', top: 5, model: undefined } }))
            .toBe('http://localhost/api/predictions?top=5');
    });
});

describe('ETags', () => {
    test('save the body while a document is unchanged', async () => {
        const requests = fakeApi({
            'GET /api/models': request => request.headers.get('If-None-Match') === '"1"'
                ? new Response(null, { status: 304 })
                : json({ models: [] }, 200, { ETag: '"1"' }),
        });
        const first = await get('/api/models');
        expect(await get('/api/models')).toBe(first);
        expect(requests.map(request => request.headers.get('If-None-Match'))).toEqual([null, '"1"']);
    });

    test('are not mixed up between URLs', async () => {
        const requests = fakeApi({ 'GET /api/runs': () => json({ runs: [] }, 200, { ETag: '"1"' }) });
        await get('/api/runs', { query: { top: 1 } });
        await get('/api/runs', { query: { top: 2 } });
        expect(requests[1]!.headers.get('If-None-Match')).toBeNull();
    });
});

describe('errors', () => {
    test('are the words of the problem document, with those of each field', async () => {
        fakeApi({
            'PUT /api/predictions/': problem(400, 'Two errors.', {
                errors: [{ field: 'title', message: 'is too long' }, { field: 'price', message: 'is negative' }],
            }),
        });
        const error = await fails(call('put', '/api/predictions/{name}/correction', { path: { name: 'a' }, body: { price: -1 } }));
        expect([error.status, error.message]).toEqual([400, 'Two errors.']);
        expect([...error.fields]).toEqual([['title', 'is too long'], ['price', 'is negative']]);
    });

    test('name the field of a single mistake', async () => {
        fakeApi({ 'GET /api/runs': problem(400, 'top is 0', { field: 'top' }) });
        expect((await fails(get('/api/runs'))).fields.get('top')).toBe('top is 0');
    });

    test('without a document still say what to do', async () => {
        fakeApi({ 'GET /api/runs': () => new Response('<html>', { status: 502, headers: { 'Retry-After': '7' } }) });
        const error = await fails(get('/api/runs'));
        expect(error.message).toContain('may be starting');
        expect(error.retryAfter).toBe(7);
    });

    test('tell a lost connection and an ended sign-in from an answer', async () => {
        fakeApi({ 'GET /api/runs': new TypeError('Failed to fetch') });
        expect((await fails(get('/api/runs'))).isConnection).toBe(true);
        fakeApi({ 'GET /api/runs': () => Object.defineProperty(new Response(), 'type', { value: 'opaqueredirect' }) });
        expect((await fails(get('/api/runs'))).message).toContain('sign-in has ended');
    });

    test('of a document that need not be there are null', async () => {
        fakeApi({ 'GET /api/models/current': problem(404, 'No model'), 'GET /api/models': problem(500, 'Broken') });
        expect(await orNull(get('/api/models/current'))).toBeNull();
        expect((await fails(orNull(get('/api/models')))).status).toBe(500);
    });
});

describe('bodies', () => {
    test('of JSON lines are arrays', async () => {
        fakeApi({
            'GET /api/runs/first/metrics': () =>
                new Response('{"step":1}\n{"step":2}\n', { headers: { 'Content-Type': 'application/jsonl' } }),
        });
        expect(await get('/api/runs/{run}/metrics', run)).toEqual([{ step: 1 }, { step: 2 }]);
    });

    test('are sent as JSON, images as they are', async () => {
        const requests = fakeApi({ 'POST /api/': json({}), 'PUT /api/': json({}, 201) });
        await call('post', '/api/models/{version}/activate', { path: { version: 'm' }, body: { reason: 'better' } });
        await call('put', '/api/images/{name}', {
            path: { name: 'a.png' }, header: { 'If-None-Match': '*' }, body: new Blob(['png'], { type: 'image/png' }),
        });
        expect(await requests[0]!.json()).toEqual({ reason: 'better' });
        expect(requests[1]!.headers.get('Content-Type')).toBe('image/png');
        expect(requests[1]!.headers.get('If-None-Match')).toBe('*');
    });
});

describe('the key', () => {
    const guarded = () => fakeApi({
        'GET /api/runs': request => request.headers.get('x-functions-key') === 'right'
            ? json({ runs: [] })
            : new Response(null, { status: 401 }),
    });

    test('is asked for once for all requests, sent as a header, and kept', async () => {
        const requests = guarded();
        const both = Promise.all([get('/api/runs', { query: { top: 1 } }), get('/api/runs', { query: { top: 2 } })]);
        await until(() => keyQuestion.value && requests.length === 2);
        keyQuestion.value!.answer('right');
        await both;
        expect(currentKey()).toBe('right');
        expect(requests.every(request => !request.url.includes('right'))).toBe(true);
        await get('/api/runs');
        expect(keyQuestion.value).toBeNull();
    });

    test('is asked for again when it is refused', async () => {
        guarded();
        const answer = get('/api/runs');
        await until(() => keyQuestion.value);
        keyQuestion.value!.answer('wrong');
        await until(() => keyQuestion.value?.refused === 'wrong');
        keyQuestion.value!.answer('right');
        expect(await answer).toEqual({ runs: [] });
    });

    test('is not asked for again after a no, until somebody wants it', async () => {
        guarded();
        const refused = fails(get('/api/runs'));
        await until(() => keyQuestion.value);
        keyQuestion.value!.answer(undefined);
        expect((await refused).status).toBe(401);
        expect((await fails(get('/api/runs'))).status).toBe(401);
        expect(keyQuestion.value).toBeNull();
        const asked = askForKeyAgain();
        keyQuestion.value!.answer('right');
        expect(await asked).toBe('right');
    });
});
