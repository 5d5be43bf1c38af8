import { vi } from 'vitest';

/** A response to a request of the page; a function makes one for each request. */
export type Reply = Response | Error | ((request: Request) => Response | Promise<Response>);

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
    new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });

export const problem = (status: number, detail: string, more: object = {}): Response =>
    new Response(JSON.stringify({ status, title: 'Problem', detail, ...more }), {
        status, headers: { 'Content-Type': 'application/problem+json' },
    });

/** Replaces `fetch`. Requests are answered by the first entry whose `METHOD path` theirs begins with, and are kept. */
export function fakeApi(replies: Record<string, Reply>): Request[] {
    const requests: Request[] = [];
    vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
        const request = new Request(url, { ...init, signal: null });
        requests.push(request);
        init.signal?.throwIfAborted();
        const { pathname, search } = new URL(url);
        const found = Object.entries(replies).find(([key]) => `${request.method} ${pathname}${search}`.startsWith(key));
        if (!found) return problem(404, `The test has no reply to ${request.method} ${pathname}${search}`);
        const reply = found[1];
        if (reply instanceof Error) throw reply;
        return typeof reply === 'function' ? await reply(request) : reply.clone();
    });
    return requests;
}

/** Waits until something holds. */
export const until = (holds: () => unknown): Promise<unknown> => vi.waitUntil(holds, { timeout: 2000, interval: 5 });
