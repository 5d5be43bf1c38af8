import { send } from './client';

const mostAtOnce = 6;
const mostKept = 400;

interface Entry {
    url: Promise<string>;
    /** Components that show the image now. */
    users: number;
}

const entries = new Map<string, Entry>();
const queue: (() => void)[] = [];
let active = 0;

/**
 * Fetches an image with the session's key, which an `<img>` cannot send, and returns a URL of it for this page. No more than six are
 * fetched at once; those of images that are shown no more are revoked, the longest unused first.
 */
export function takeImage(url: string): { url: Promise<string>; release: () => void } {
    let entry = entries.get(url);
    if (entry) entries.delete(url);
    else {
        entry = { url: load(url), users: 0 };
        // A failure is not kept: the next who asks tries again.
        entry.url.catch(() => entries.delete(url));
    }
    entries.set(url, entry);
    entry.users++;
    let isTaken = true;
    return {
        url: entry.url,
        release: () => {
            if (!isTaken) return;
            isTaken = false;
            entry.users--;
            trim();
        },
    };
}

function trim(): void {
    for (const [url, entry] of entries) {
        if (entries.size <= mostKept) return;
        if (entry.users > 0) continue;
        entries.delete(url);
        void entry.url.then(URL.revokeObjectURL, () => undefined);
    }
}

async function load(url: string): Promise<string> {
    if (active >= mostAtOnce) await new Promise<void>(resolve => queue.push(resolve));
    else active++;
    try {
        return URL.createObjectURL(await (await send(url, { cache: 'default' })).blob());
    } finally {
        const next = queue.shift();
        if (next) next();
        else active--;
    }
}
