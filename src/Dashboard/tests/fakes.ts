import { vi } from 'vitest';

/** A request that the page has sent. */
export class Sent extends Request {
    readonly query: URLSearchParams;

    constructor(url: string, init: RequestInit, readonly path = new URL(url).pathname,
        /** What it sends as JSON. */
        readonly content: unknown = typeof init.body === 'string' ? JSON.parse(init.body) : undefined) {
        super(url, { ...init, signal: null });
        this.query = new URL(url).searchParams;
    }
}

/** A reply to requests of the page: a response, an error of the network, or what is sent as JSON. */
export type Reply = object | ((sent: Sent) => Reply | Promise<Reply>);

const body = (type: string, content: unknown, status: number, headers: Record<string, string>): Response =>
    new Response(JSON.stringify(content), { status, headers: { 'Content-Type': type, ...headers } });

export const json = (content: unknown, status = 200, headers: Record<string, string> = {}): Response =>
    body('application/json', content, status, headers);

export const jsonl = (lines: readonly object[]): Response =>
    new Response(lines.map(line => `${JSON.stringify(line)}\n`).join(''), { headers: { 'Content-Type': 'application/jsonl' } });

export const problem = (status: number, detail: string, more: object = {}): Response =>
    body('application/problem+json', { status, title: 'Problem', detail, ...more }, status, {});

// A path is of the requests with any query, one that ends with a slash of all below it.
const fits = (asked: string, key: string): boolean =>
    asked.startsWith(key) && (key.endsWith('/') || /^([?&]|$)/.test(asked.slice(key.length)));

/** Replaces `fetch`. Requests are answered by the longest `METHOD path` that fits theirs, and are kept. */
export function fakeApi(replies: Record<string, Reply>): Sent[] {
    const requests: Sent[] = [];
    vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
        const sent = new Sent(url, init);
        requests.push(sent);
        init.signal?.throwIfAborted();
        const asked = `${sent.method} ${sent.path}${new URL(url).search}`;
        const [key] = Object.keys(replies).filter(key => fits(asked, key)).toSorted((a, b) => b.length - a.length);
        let reply: Reply = key === undefined ? problem(404, `The test has no reply to ${asked}`) : replies[key]!;
        while (typeof reply === 'function') reply = await (reply as (sent: Sent) => Reply | Promise<Reply>)(sent);
        if (reply instanceof Error) throw reply;
        // The body of a response can be read once.
        return reply instanceof Response ? reply.clone() : json(reply);
    });
    return requests;
}

/** Waits until something holds. */
export const until = (holds: () => unknown): Promise<unknown> => vi.waitUntil(holds, { timeout: 2000, interval: 5 });
