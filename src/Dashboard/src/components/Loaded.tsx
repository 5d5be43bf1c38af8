import type { ComponentChildren } from 'preact';
import type { Polled } from '../api/polling';
import { ErrorBox } from './ErrorBox';

/** Shows what a poll has read; before the first value a placeholder, or the error. */
export function Loaded<T>({ from, children }: { from: Polled<T>; children: (value: T) => ComponentChildren }) {
    const value = from.value.value;
    if (value !== undefined) return <>{children(value)}</>;
    const error = from.error.value;
    return error ? <ErrorBox error={error} retry={() => void from.refresh()} /> : <Loading />;
}

/** Stands where something is being read. */
export function Loading() {
    return <p class="loading" role="status">Loading…</p>;
}
