import { useState } from 'preact/hooks';
import { call } from '../api/client';
import { type ApiError, toError } from '../api/errors';
import { Dialog } from '../components/Dialog';
import { ErrorBox } from '../components/ErrorBox';
import { Loaded } from '../components/Loaded';
import { notify } from '../components/Toasts';
import { formatCount, formatInteger } from '../format/format';
import { href, setQuery } from '../shell/router';
import { Course, useTimeline } from './course';
import type { DatasetPath } from './dataset-rows';
import { StatusBadge } from './run-state';

/** Reasons that time can heal: those that a request without reasons reads again. */
const healing = ['timeout', 'download-failed', 'not-found', 'opted-out'];

/** Reads rejected rows again, by their reasons, into a new view of the same commit. */
export function RetryButton({ path, rejectedBy }: { path: DatasetPath; rejectedBy: Readonly<Record<string, number>> }) {
    const [isOpen, setOpen] = useState(false);
    return (
        <>
            <button type="button" onClick={() => setOpen(true)}>Try again…</button>
            {isOpen && <RetryDialog path={path} rejectedBy={rejectedBy} close={() => setOpen(false)} />}
        </>
    );
}

function RetryDialog({ path, rejectedBy, close }: { path: DatasetPath; rejectedBy: Readonly<Record<string, number>>; close: () => void }) {
    const all = Object.keys(rejectedBy).toSorted((a, b) => rejectedBy[b]! - rejectedBy[a]!);
    const [chosen, setChosen] = useState<readonly string[]>(all.filter(reason => healing.includes(reason)));
    const [isBusy, setBusy] = useState(false);
    const [error, setError] = useState<ApiError>();
    const count = chosen.reduce((sum, reason) => sum + rejectedBy[reason]!, 0);
    const start = async (event: Event) => {
        event.preventDefault();
        setBusy(true);
        setError(undefined);
        try {
            const { id } = await call(
                'post', '/api/datasets/{owner}/{name}/{commit}/{view}/retry', { path: { ...path }, body: { reasons: [...chosen] } });
            notify(`${formatCount(count, 'row')} are being read again.`);
            setQuery({ retry: id });
            close();
        } catch (e) {
            setError(toError(e));
            setBusy(false);
        }
    };
    return (
        <Dialog title="Read rejected rows again?" onClose={close}>
            <form class="form" onSubmit={event => void start(event)}>
                <p>They get a second chance in a new view of the same commit. What is stored is not fetched again, and this view stays.</p>
                <fieldset class="choices">
                    <legend>Rejected because</legend>
                    {all.map(reason => (
                        <label key={reason} class="check">
                            <input type="checkbox" checked={chosen.includes(reason)} onChange={event => setChosen(
                                event.currentTarget.checked ? [...chosen, reason] : chosen.filter(one => one !== reason))} />
                            {reason} <span class="muted">{formatCount(rejectedBy[reason]!, 'row')}</span>
                        </label>
                    ))}
                </fieldset>
                {error && <ErrorBox error={error} />}
                <div class="actions">
                    <button type="submit" class="primary" disabled={isBusy || chosen.length === 0}>
                        {isBusy ? 'Starting…' : `Read ${formatInteger(count)} again`}
                    </button>
                    <button type="button" onClick={close}>Cancel</button>
                </div>
            </form>
        </Dialog>
    );
}

/** The ingestion that a retry has started, live until its end. */
export function RetryProgress({ instance, repo }: { instance: string; repo: string }) {
    const timeline = useTimeline(instance);
    return (
        <section class="card stack" aria-labelledby="retry">
            <div class="section-head">
                <h2 id="retry">Second try</h2>
                <button type="button" class="quiet" onClick={() => setQuery({ retry: undefined })}>Hide</button>
            </div>
            <Loaded from={timeline}>{value => (
                <>
                    <p>
                        <StatusBadge status={value.runtimeStatus} />{' '}
                        {value.endedAt
                            ? <a href={href('/datasets', {}, { repo })}>Its view is the newest of {repo}</a>
                            : 'Rejected rows are being read again.'}
                    </p>
                    <Course timeline={value} />
                </>
            )}
            </Loaded>
        </section>
    );
}
