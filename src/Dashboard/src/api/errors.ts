import type { Schemas } from './schema';

/** Error of a request, in words for people: the API's own problem document, or the reason that there is none. */
export class ApiError extends Error {
    override readonly name = 'ApiError';
    /** HTTP status; 0 when no response came. */
    readonly status: number;
    /** Kind of the problem, such as `Bad Request`. */
    readonly title: string;
    /** Messages of single members of the request, by their path. */
    readonly fields: ReadonlyMap<string, string>;
    /** Seconds after which the API wants to be asked again. */
    readonly retryAfter: number | undefined;

    constructor(problem: Schemas['Problem'], retryAfter?: number) {
        super(problem.detail);
        this.status = problem.status;
        this.title = problem.title;
        this.retryAfter = retryAfter;
        const errors = problem.errors ?? (problem.field ? [{ field: problem.field, message: problem.detail }] : []);
        this.fields = new Map(errors.map(error => [error.field, error.message]));
    }

    /** Message of a member of the request, or of the first one inside it. */
    in(path: string): string | undefined {
        const isInside = (field: string) => field.startsWith(path) && /^($|[.[])/.test(field.slice(path.length));
        return [...this.fields].find(([field]) => isInside(field))?.[1];
    }

    /** True when no response came: the connection is lost, or the sign-in has ended. */
    get isConnection(): boolean {
        return this.status === 0;
    }
}

/** Error for a request that the API did not see. */
export const noResponse = (detail: string): ApiError => new ApiError({ status: 0, title: 'No response', detail });

/** Turns whatever was thrown into an error that can be shown. */
export const toError = (thrown: unknown): ApiError => thrown instanceof ApiError
    ? thrown
    : new ApiError({ status: -1, title: 'Error of the page', detail: thrown instanceof Error ? thrown.message : String(thrown) });

/** True for the end of a request that was aborted by the page itself. */
export const isAbort = (thrown: unknown): boolean => thrown instanceof DOMException && thrown.name === 'AbortError';

const withoutBody: Record<number, string> = {
    401: 'The API needs a function key. In Azure: the portal\'s page "App keys" of the Functions app has it.',
    403: 'The sign-in does not allow this.',
    404: 'The API has no such route: the page may be newer or older than the app. Reload it.',
    413: 'The request is too large.',
    502: 'The Functions app does not answer. It may be starting.',
    503: 'The Functions app does not answer. It may be starting.',
    504: 'The Functions app did not answer in time.',
};

/** Reads the error of a response that is no success. */
export async function readError(response: Response): Promise<ApiError> {
    const seconds = Number(response.headers.get('Retry-After') ?? NaN);
    const retryAfter = Number.isFinite(seconds) ? seconds : undefined;
    if (/\bjson\b/.test(response.headers.get('Content-Type') ?? '')) {
        const problem = await response.json().catch(() => null) as Partial<Schemas['Problem']> | null;
        if (typeof problem?.detail === 'string')
            return new ApiError({ ...problem, status: response.status, title: problem.title ?? '', detail: problem.detail }, retryAfter);
    }
    const detail = withoutBody[response.status] ?? `The API responded with status ${response.status} and no explanation.`;
    return new ApiError({ status: response.status, title: response.statusText || `Status ${response.status}`, detail }, retryAfter);
}
