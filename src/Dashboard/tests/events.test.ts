import { expect, test } from 'vitest';
import { ApiError } from '../src/api/errors';
import { readEvents, type ServerEvent } from '../src/api/events';
import { ask } from '../src/api/predict';
import { fakeApi, json } from './fakes';

const stream = (...chunks: Uint8Array[]): ReadableStream<Uint8Array> => new ReadableStream({
    start(controller) {
        chunks.forEach(chunk => controller.enqueue(chunk));
        controller.close();
    },
});
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const events = (text: string): Response => new Response(stream(bytes(text)), { headers: { 'Content-Type': 'text/event-stream' } });

async function all(body: ReadableStream<Uint8Array>): Promise<ServerEvent[]> {
    const read: ServerEvent[] = [];
    for await (const event of readEvents(body)) read.push(event);
    return read;
}

test('Events are whole however the stream is cut, also within a letter', async () => {
    const text = bytes('event: delta\r\ndata: {"text":"Grün"}\r\n\r\n: comment\n\ndata: a\ndata: b\n\n');
    for (let cut = 0; cut <= text.length; cut++) {
        expect(await all(stream(text.slice(0, cut), text.slice(cut)))).toEqual([
            { event: 'delta', data: '{"text":"Grün"}' }, { event: 'message', data: 'a\nb' },
        ]);
    }
});

const image = new Blob(['x'], { type: 'image/png' });
const prediction = { status: 'predicted', answer: 'Coat', seconds: 1, at: '2026-05-01T00:00:00Z' };
const never = new AbortController().signal;

test('An answer comes word by word, then complete', async () => {
    const requests = fakeApi({
        'POST /api/predict': () => events('event: delta\ndata: {"text":"Co"}\n\nevent: delta\ndata: {"text":"at"}\n\n'
            + `event: prediction\ndata: ${JSON.stringify(prediction)}\n\n`),
    });
    const texts: string[] = [];
    expect(await ask(image, text => texts.push(text), never)).toEqual(prediction);
    expect(texts).toEqual(['Co', 'Coat']);
    expect(requests[0]!.headers.get('Accept')).toContain('text/event-stream');
});

test('An answer that is not streamed is one, too', async () => {
    fakeApi({ 'POST /api/predict': json(prediction) });
    expect(await ask(image, () => undefined, never)).toEqual(prediction);
});

test('A problem in the stream, and a stream that is cut off, are errors', async () => {
    fakeApi({ 'POST /api/predict': () => events('event: problem\ndata: {"status":503,"title":"t","detail":"The worker is away."}\n\n') });
    await expect(ask(image, () => undefined, never)).rejects.toThrow('The worker is away.');
    fakeApi({ 'POST /api/predict': () => events('event: delta\ndata: {"text":"Co"}\n\n') });
    await expect(ask(image, () => undefined, never)).rejects.toThrow(ApiError);
});
