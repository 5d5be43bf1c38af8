import { signal } from '@preact/signals';

/** Place in the page: what follows `#` in the URL. */
export interface Place {
    /** Path, such as `/runs/first`, with its segments still encoded. */
    path: string;
    query: URLSearchParams;
}

export type Params = Record<string, string>;

/** What a view is given. */
export interface ViewProps {
    /** Values of the route's `{parameters}`, decoded. */
    params: Params;
    query: URLSearchParams;
}

/** Parses the hash of a URL. */
export function parsePlace(hash: string): Place {
    const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
    return { path: path || '/', query: new URLSearchParams(query) };
}

export const place = signal<Place>(parsePlace(window.location.hash));

/** True once the person has gone somewhere: the first view leaves the focus where the browser put it. */
export let hasNavigated = false;

window.addEventListener('hashchange', () => {
    const next = parsePlace(window.location.hash);
    if (next.path !== place.value.path) hasNavigated = true;
    place.value = next;
});

/** Matches a path with a route such as `/runs/{run}`; null when it is another. */
export function matchRoute(route: string, path: string): Params | null {
    const expected = route.split('/');
    const actual = path.split('/');
    if (expected.length !== actual.length) return null;
    const params: Params = {};
    for (const [i, part] of expected.entries()) {
        const value = actual[i]!;
        if (!part.startsWith('{')) {
            if (part !== value) return null;
            continue;
        }
        if (!value) return null;
        try {
            params[part.slice(1, -1)] = decodeURIComponent(value);
        } catch {
            return null;
        }
    }
    return params;
}

/** Makes the link to a route. A value with slashes stays one segment. */
export function href(route: string, params: Params = {}, query: Record<string, string | undefined> = {}): string {
    const path = route.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
    const search = new URLSearchParams(Object.entries(query).filter((entry): entry is [string, string] => !!entry[1])).toString();
    return `#${path}${search && `?${search}`}`;
}

/** Goes to a link of {@link href}. */
export function navigate(link: string): void {
    window.location.hash = link;
}

/** Changes parameters of the place without a step in the history: filters, tabs. */
export function setQuery(changes: Record<string, string | undefined>): void {
    const query = new URLSearchParams(place.value.query);
    for (const [name, value] of Object.entries(changes)) {
        if (value) query.set(name, value);
        else query.delete(name);
    }
    const search = query.toString();
    history.replaceState(null, '', `#${place.value.path}${search && `?${search}`}`);
    place.value = { path: place.value.path, query };
}
