import { useEffect, useState } from 'preact/hooks';
import { get } from '../api/client';
import { type ApiError, isAbort, toError } from '../api/errors';
import type { Schemas } from '../api/schema';

export type Answer = Schemas['EvaluatedAnswer'];

/** Answers of a model to a split, as far as they were read. */
export interface Answers {
    answers: readonly Answer[];
    isComplete: boolean;
    error: ApiError | undefined;
}

const pageSize = 500;

/** Reads all answers of a model to a split, a page at a time, and reports after every page. */
export async function readAnswers(
    run: string, model: string, split: string, report: (answers: readonly Answer[], isComplete: boolean) => void, abort: AbortSignal,
): Promise<void> {
    let answers: Answer[] = [];
    let continuation: string | undefined;
    do {
        const query = { model, split, top: pageSize, ...(continuation && { continuation }) };
        const page = await get('/api/runs/{run}/answers', { path: { run }, query }, abort);
        answers = [...answers, ...page.answers];
        continuation = page.continuation;
        report(answers, continuation === undefined);
    } while (continuation !== undefined);
}

/** Reads all answers of a model to a split; what was read is shown as it comes. */
export function useAnswers(run: string, model: string, split: string): Answers & { retry: () => void } {
    const [state, setState] = useState<Answers & { key: string }>({ answers: [], isComplete: false, error: undefined, key: '' });
    const [turn, setTurn] = useState(0);
    const key = `${run} ${model} ${split}`;
    useEffect(() => {
        const abort = new AbortController();
        setState({ answers: [], isComplete: false, error: undefined, key });
        readAnswers(run, model, split, (answers, isComplete) => setState({ answers, isComplete, error: undefined, key }), abort.signal)
            .catch((e: unknown) => {
                if (!abort.signal.aborted && !isAbort(e)) setState(before => ({ ...before, error: toError(e) }));
            });
        return () => abort.abort();
    }, [key, turn]);
    const retry = () => setTurn(turn + 1);
    return state.key === key ? { ...state, retry } : { answers: [], isComplete: false, error: undefined, retry };
}
