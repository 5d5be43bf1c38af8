import { useEffect, useState } from 'preact/hooks';
import type { Polled } from '../api/polling';
import { formatAgo } from '../format/format';

/** Tells how old the values of a poll are, and that newer ones cannot be had. */
export function Freshness({ of }: { of: Polled<unknown> }) {
    const [, tick] = useState(0);
    useEffect(() => {
        const timer = setInterval(() => tick(n => n + 1), 10_000);
        return () => clearInterval(timer);
    }, []);
    const at = of.updatedAt.value;
    const error = of.value.value === undefined ? undefined : of.error.value;
    return (
        <span class={error ? 'freshness bad-text' : 'freshness'}>
            {error && <>{error.isConnection ? 'Connection lost' : error.message}, trying again. </>}
            {at !== undefined && <>Updated {formatAgo(at)}</>}
        </span>
    );
}
