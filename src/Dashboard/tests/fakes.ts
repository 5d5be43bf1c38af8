import { vi } from 'vitest';

/** A reply to requests of the page, made anew for each: the body of a response can be read once. */
export type Reply = Error | ((request: Request) => Response | Reply | Promise<Response | Reply>);

const body = (type: string, content: unknown, status: number, headers: Record<string, string>): Reply =>
    () => new Response(JSON.stringify(content), { status, headers: { 'Content-Type': type, ...headers } });

export const json = (content: unknown, status = 200, headers: Record<string, string> = {}): Reply =>
    body('application/json', content, status, headers);

export const problem = (status: number, detail: string, more: object = {}): Reply =>
    body('application/problem+json', { status, title: 'Problem', detail, ...more }, status, {});

/** Replaces `fetch`. Requests are answered by the first entry whose `METHOD path` theirs begins with, and are kept. */
export function fakeApi(replies: Record<string, Reply>): Request[] {
    const requests: Request[] = [];
    vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
        const request = new Request(url, { ...init, signal: null });
        requests.push(request);
        init.signal?.throwIfAborted();
        const { pathname, search } = new URL(url);
        const asked = `${request.method} ${pathname}${search}`;
        let reply: Response | Reply = Object.entries(replies).find(([key]) => asked.startsWith(key))?.[1]
            ?? problem(404, `The test has no reply to ${asked}`);
        while (typeof reply === 'function') reply = await reply(request);
        if (reply instanceof Error) throw reply;
        return reply;
    });
    return requests;
}

/** Waits until something holds. */
export const until = (holds: () => unknown): Promise<unknown> => vi.waitUntil(holds, { timeout: 2000, interval: 5 });
