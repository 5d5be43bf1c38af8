import { useEffect, useRef, useState } from 'preact/hooks';
import { get } from '../api/client';
import { type ApiError, isAbort, toError } from '../api/errors';
import type { Schemas } from '../api/schema';

export type Row = Schemas['ManifestRow'];

/** A dataset as it was ingested. */
export interface DatasetPath {
    owner: string;
    name: string;
    commit: string;
    view: string;
}

/** Filters of rows; undefined takes all. */
export interface RowFilter {
    state: string | undefined;
    reason: string | undefined;
    split: string | undefined;
}

const pageSize = 200;

/** Reads rows from a continuation on until some have come or none are left: pages of a filter that few rows pass may be empty. */
export async function readRows(
    path: DatasetPath, filter: RowFilter, continuation: string | undefined, abort: AbortSignal,
): Promise<{ rows: readonly Row[]; continuation: string | undefined }> {
    for (;;) {
        const query = Object.fromEntries(
            Object.entries({ ...filter, top: pageSize, continuation }).filter(entry => entry[1] !== undefined));
        const page = await get('/api/datasets/{owner}/{name}/{commit}/{view}/rows', { path: { ...path }, query }, abort);
        if (page.rows.length > 0 || page.continuation === undefined) return { rows: page.rows, continuation: page.continuation };
        continuation = page.continuation;
    }
}

interface State {
    rows: readonly Row[];
    continuation: string | undefined;
    isComplete: boolean;
    error: ApiError | undefined;
}

const nothing: State = { rows: [], continuation: undefined, isComplete: false, error: undefined };

/** Rows that pass a filter, read a page at a time as they are asked for. */
export function useRows(path: DatasetPath, filter: RowFilter) {
    const key = JSON.stringify([path, filter]);
    const [state, setState] = useState<State>(nothing);
    const reading = useRef<AbortController | undefined>(undefined);
    const read = (before: State) => {
        const abort = reading.current = new AbortController();
        readRows(path, filter, before.continuation, abort.signal).then(
            page => {
                if (abort.signal.aborted) return;
                reading.current = undefined;
                const { rows, continuation } = page;
                setState({ rows: [...before.rows, ...rows], continuation, isComplete: continuation === undefined, error: undefined });
            },
            (e: unknown) => {
                if (abort.signal.aborted || isAbort(e)) return;
                reading.current = undefined;
                setState({ ...before, error: toError(e) });
            });
    };
    useEffect(() => {
        setState(nothing);
        read(nothing);
        return () => {
            reading.current?.abort();
            reading.current = undefined;
        };
    }, [key]);
    const more = () => {
        if (!reading.current && !state.isComplete) read(state);
    };
    return { ...state, more };
}
