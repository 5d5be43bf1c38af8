import { ApiError, isAbort, noResponse, readError } from './errors';
import { askForKey, currentKey } from './key';
import type { Answer, Arguments, Method, Route } from './schema';

/** Arguments of an operation, as they are at run time. */
interface Parts {
    path?: Record<string, string | number>;
    query?: Record<string, string | number | boolean | undefined>;
    header?: Record<string, string | undefined>;
    body?: unknown;
}

type Optional<T> = Record<never, never> extends T ? [args?: T, signal?: AbortSignal] : [args: T, signal?: AbortSignal];

/** Responses that a later request may find unchanged. The oldest are dropped. */
const remembered = new Map<string, { etag: string; body: unknown }>();
const mostRemembered = 60;

// The page is at {prefix}/dashboard/…, the API at {prefix}/…: host.json may change the prefix, a proxy what comes before it.
const apiRoot = (): URL => new URL('..', document.baseURI);

/** Makes the URL of a route, such as `/api/runs/{run}`. The slashes of a name stay slashes. */
export function apiUrl(route: string, args: Pick<Parts, 'path' | 'query'> = {}): string {
    const path = route.replace(/^\/api\//, '').replace(/\{(\w+)\}/g, (_, name: string) =>
        String(args.path?.[name] ?? '').split('/').map(encodeURIComponent).join('/'));
    const url = new URL(path, apiRoot());
    for (const [name, value] of Object.entries(args.query ?? {}))
        if (value !== undefined && value !== '') url.searchParams.set(name, String(value));
    return url.href;
}

interface SendOptions extends RequestInit {
    /** True for an error status that is an answer to this request. */
    isAnswer?: (status: number) => boolean;
}

/**
 * Sends a request with the session's key, which it asks for when the API wants one.
 * @throws ApiError without a response, or when the response is an error
 */
export async function send(url: string, { isAnswer, ...init }: SendOptions = {}): Promise<Response> {
    for (;;) {
        const key = currentKey();
        const headers = new Headers(init.headers);
        if (key) headers.set('x-functions-key', key);
        let response: Response;
        try {
            // Signed out, Easy Auth redirects to another origin, which neither CORS nor the content security policy let through.
            response = await fetch(url, { cache: 'no-store', ...init, headers, redirect: 'manual' });
        } catch (e) {
            if (isAbort(e)) throw e;
            throw noResponse('The Functions app cannot be reached.');
        }
        if (response.type === 'opaqueredirect') throw noResponse('The sign-in has ended. Reload the page to sign in again.');
        if (response.ok || response.status === 304 || isAnswer?.(response.status)) return response;
        if (response.status !== 401) throw await readError(response);
        // Another request may have been given the key meanwhile.
        if (currentKey() === key && !(await askForKey())) throw await readError(response);
    }
}

/** Calls an operation of the API, with types from `docs/openapi.json`. */
export async function call<M extends Method, R extends Route<M>>(
    method: M, route: R, ...[args, signal]: Optional<Arguments<M, R>>
): Promise<Answer<M, R>> {
    const parts = (args ?? {}) as Parts;
    const url = apiUrl(route, parts);
    const headers = new Headers();
    for (const [name, value] of Object.entries(parts.header ?? {})) if (value !== undefined) headers.set(name, value);
    const init: RequestInit = { method: method.toUpperCase(), headers, ...(signal && { signal }) };
    if (parts.body instanceof Blob) init.body = parts.body;
    else if (parts.body !== undefined) {
        headers.set('Content-Type', 'application/json');
        init.body = JSON.stringify(parts.body);
    }
    const known = method === 'get' ? remembered.get(url) : undefined;
    if (known) headers.set('If-None-Match', known.etag);
    const response = await send(url, init);
    if (response.status === 304 && known) return known.body as Answer<M, R>;
    const body = await read(response) as Answer<M, R>;
    const etag = response.headers.get('ETag');
    if (method === 'get' && etag) remember(url, etag, body);
    return body;
}

/** Gets a document. While its ETag stays the same, this is the very object of the call before. */
export const get = <R extends Route<'get'>>(route: R, ...rest: Optional<Arguments<'get', R>>): Promise<Answer<'get', R>> =>
    call('get', route, ...rest);

/** Turns the absence of a document into null, where that is the rule and no error. */
export async function orNull<T>(answer: Promise<T>): Promise<T | null> {
    try {
        return await answer;
    } catch (e) {
        if (e instanceof ApiError && e.status === 404) return null;
        throw e;
    }
}

async function read(response: Response): Promise<unknown> {
    if (response.status === 204) return undefined;
    const type = response.headers.get('Content-Type') ?? '';
    const text = await response.text();
    if (type.startsWith('application/jsonl')) return text.split('\n').filter(Boolean).map(line => JSON.parse(line) as unknown);
    return text ? JSON.parse(text) as unknown : undefined;
}

function remember(url: string, etag: string, body: unknown): void {
    remembered.delete(url);
    remembered.set(url, { etag, body });
    if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value!);
}

/** Forgets all responses. */
export const forgetResponses = (): void => remembered.clear();
