import { type ReadonlySignal, signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { get } from './client';
import { type ApiError, isAbort, toError } from './errors';
import type { Answer, Arguments, Route } from './schema';

const slowest = 60_000;

/** Number of polls whose latest request found no connection. */
const lost = signal(0);

/** True while the API cannot be reached: what is shown is older than it should be. */
export const isConnectionLost = (): boolean => lost.value > 0;

/** What a poll has read last. An error leaves the value before it in place. */
export interface Polled<T> {
    readonly value: ReadonlySignal<T | undefined>;
    /** Error of the latest request; undefined after a success. */
    readonly error: ReadonlySignal<ApiError | undefined>;
    /** Time of the latest success, in milliseconds since 1970. */
    readonly updatedAt: ReadonlySignal<number | undefined>;
    /** Reads again at once, such as after a change made by the page. */
    refresh(): Promise<void>;
}

/** Milliseconds from one reading to the next; undefined ends the poll, such as for a run that has ended. */
export type Interval<T> = number | ((value: T) => number | undefined);

/** Reads something again and again: not in a hidden tab, ever more slowly after errors. */
export class Poll<T> implements Polled<T> {
    readonly value = signal<T | undefined>(undefined);
    readonly error = signal<ApiError | undefined>(undefined);
    readonly updatedAt = signal<number | undefined>(undefined);
    private failures = 0;
    private isLost = false;
    private dueAt: number | undefined = 0;
    private timer: ReturnType<typeof setTimeout> | undefined;
    private reading: AbortController | undefined;
    private isStarted = false;

    constructor(private readonly load: (signal: AbortSignal) => Promise<T>, private readonly interval: Interval<T>) {}

    start(): void {
        this.isStarted = true;
        document.addEventListener('visibilitychange', this.onVisibility);
        window.addEventListener('online', this.onOnline);
        this.schedule();
    }

    stop(): void {
        this.isStarted = false;
        document.removeEventListener('visibilitychange', this.onVisibility);
        window.removeEventListener('online', this.onOnline);
        clearTimeout(this.timer);
        this.reading?.abort();
        this.setLost(false);
    }

    async refresh(): Promise<void> {
        clearTimeout(this.timer);
        this.reading?.abort();
        const reading = this.reading = new AbortController();
        try {
            const value = await this.load(reading.signal);
            if (reading.signal.aborted) return;
            this.failures = 0;
            this.value.value = value;
            this.error.value = undefined;
            this.updatedAt.value = Date.now();
            this.setLost(false);
            this.due(typeof this.interval === 'number' ? this.interval : this.interval(value));
        } catch (e) {
            if (reading.signal.aborted || isAbort(e)) return;
            const error = toError(e);
            this.failures++;
            this.error.value = error;
            this.setLost(error.isConnection);
            const usual = typeof this.interval === 'number' ? this.interval : 2000;
            this.due(Math.max(Math.min(usual * 2 ** this.failures, slowest), (error.retryAfter ?? 0) * 1000));
        }
        this.schedule();
    }

    private due(pause: number | undefined): void {
        this.dueAt = pause === undefined ? undefined : Date.now() + pause;
    }

    private schedule(): void {
        clearTimeout(this.timer);
        if (!this.isStarted || this.dueAt === undefined || document.hidden) return;
        this.timer = setTimeout(() => void this.refresh(), Math.max(0, this.dueAt - Date.now()));
    }

    private readonly onVisibility = (): void => this.schedule();

    private readonly onOnline = (): void => {
        if (this.isLost) void this.refresh();
    };

    private setLost(isLost: boolean): void {
        if (this.isLost !== isLost) lost.value += isLost ? 1 : -1;
        this.isLost = isLost;
    }
}

/**
 * Polls for as long as the component is shown.
 * @param key Names what is read: another key begins anew, without the value before
 */
export function usePolled<T>(key: string, load: (signal: AbortSignal) => Promise<T>, interval: Interval<T>): Polled<T> {
    const poll = useMemo(() => new Poll(load, interval), [key]);
    useEffect(() => {
        poll.start();
        return () => poll.stop();
    }, [poll]);
    return poll;
}

/** Polls a route of the API. */
export function useApi<R extends Route<'get'>>(
    route: R, args: Arguments<'get', R>, interval: Interval<Answer<'get', R>>,
): Polled<Answer<'get', R>> {
    const read = get as (route: R, args: Arguments<'get', R>, signal: AbortSignal) => Promise<Answer<'get', R>>;
    return usePolled(`${route} ${JSON.stringify(args)}`, abort => read(route, args, abort), interval);
}
