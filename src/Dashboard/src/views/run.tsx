import { useState } from 'preact/hooks';
import { call } from '../api/client';
import { useApi } from '../api/polling';
import type { Schemas } from '../api/schema';
import { Dialog } from '../components/Dialog';
import { Freshness } from '../components/Freshness';
import { Loaded } from '../components/Loaded';
import { MetricsTable } from '../components/MetricsTable';
import { Time } from '../components/Time';
import { attempt } from '../components/Toasts';
import { formatDuration, formatInteger } from '../format/format';
import { href, type ViewProps } from '../shell/router';
import { datasetLink } from './datasets-link';
import { Curves } from './run-curves';
import { PhaseStrip } from './run-phases';
import { hasEnded, RunFrame, type RunView, secondsOf, StatusBadge, useRun } from './run-state';
import './runs.css';

/** A run: phases, curves, results. */
export default function Run({ params }: ViewProps) {
    const name = params['run']!;
    const run = useRun(name);
    const [isCancelling, setCancelling] = useState(false);
    const view = run.value.value;
    const cancel = async () => {
        setCancelling(false);
        await attempt(() => call('post', '/api/runs/{run}/cancel', { path: { run: name } }), `${name} is being cancelled`);
        await run.refresh();
    };
    return (
        <RunFrame run={name} title={name}
            subtitle={view && (
                <>
                    <StatusBadge status={view.runtimeStatus} /> started <Time at={view.createdAt} />
                    {hasEnded(view) ? <>, took {formatDuration(secondsOf(view))}</> : <>. <Freshness of={run} /></>}
                </>
            )}
            actions={view && (
                <>
                    <a class="button" href={href('/new-run', {}, { from: name })}>New run with these settings</a>
                    {!hasEnded(view) && <button type="button" class="danger" onClick={() => setCancelling(true)}>Cancel the run</button>}
                </>
            )}>
            <Loaded from={run}>{view => (
                <div class="stack">
                    <RunError run={view} />
                    <PhaseStrip run={view} />
                    <Trackers trackers={view.outcome?.result.trackers ?? view.status?.training?.trackers ?? []} />
                    <Curves run={name} isLive={!hasEnded(view)} />
                    {view.outcome && <Outcome outcome={view.outcome} />}
                    <Request run={name} />
                </div>
            )}
            </Loaded>
            {isCancelling && (
                <Dialog title={`Cancel ${name}?`} onClose={() => setCancelling(false)}
                    actions={(
                        <>
                            <button type="button" onClick={() => setCancelling(false)}>Keep it running</button>
                            <button type="button" class="danger" onClick={() => void cancel()}>Cancel the run</button>
                        </>
                    )}>
                    <p>The GPU job is stopped and no model is made. What was measured so far stays; the run cannot be resumed.</p>
                </Dialog>
            )}
        </RunFrame>
    );
}

function RunError({ run }: { run: RunView }) {
    if (run.runtimeStatus === 'Terminated') return <p class="box box-warn">This run was cancelled{run.error ? `: ${run.error}` : '.'}</p>;
    if (run.runtimeStatus !== 'Failed') return null;
    return (
        <div class="box box-bad" role="alert">
            <p><strong>The run failed</strong></p>
            <p class="break">{run.error ?? 'Its orchestration says no reason.'}</p>
            <p>
                The <a href={href('/runs/{run}/timeline', { run: run.run })}>timeline</a> shows which step failed. When its cause is
                removed, <a href={href('/new-run', {}, { from: run.run })}>start a run with the same settings</a>: images and base model
                that are in storage already are not fetched again.
            </p>
        </div>
    );
}

function Trackers({ trackers }: { trackers: readonly Schemas['TrackerStatus'][] }) {
    if (trackers.length === 0) return null;
    return (
        <p class="trackers">
            <span class="muted">Tracked by</span>
            {trackers.map(({ name, url, problem }) => (
                <span key={name}>
                    {url ? <a href={url} target="_blank" rel="noreferrer">{name}</a> : name}
                    {problem && <span class="warn-text"> ({problem})</span>}
                </span>
            ))}
        </p>
    );
}

function Outcome({ outcome: { dataset, corrections, result, published, publishDecision } }: { outcome: Schemas['RunOutcome'] }) {
    return (
        <section class="stack" aria-labelledby="result">
            <h2 id="result">Result</h2>
            {result.pruned
                ? <p class="box box-warn">Ended early at step {result.pruned.step}: {result.pruned.reason}</p>
                : (
                    <MetricsTable caption="Final metrics" compared={[0, 1]} withBaseline columns={[
                        { label: 'Base model', metrics: result.base }, { label: 'Fine-tuned', metrics: result.fineTuned },
                        ...(result.test ? [{ label: 'Test split', metrics: result.test }] : []),
                    ]} />
                )}
            <dl class="facts">
                {result.model && (
                    <>
                        <dt>Model</dt>
                        <dd>
                            <a href={href('/models', {}, { model: result.model })}>{result.model}</a>
                            {result.bestStep !== undefined && `, from step ${result.bestStep}`}
                        </dd>
                    </>
                )}
                <dt>Serves</dt>
                <dd>{published ? 'yes' : 'no'}, {publishDecision}</dd>
                <dt>Dataset</dt>
                <dd>
                    <a href={datasetLink(dataset)}>{dataset.repo}</a> <span class="muted mono">{dataset.commit.slice(0, 12)}</span>
                    {corrections && `, and ${corrections.counts.stored} corrections`}
                </dd>
                <dt>Samples</dt>
                <dd>
                    {formatInteger(result.trainingSamples)} trained on
                    {result.droppedSamples > 0 && `, ${formatInteger(result.droppedSamples)} too long and left out`}
                </dd>
            </dl>
        </section>
    );
}

function Request({ run }: { run: string }) {
    const [isOpen, setOpen] = useState(false);
    return (
        <details onToggle={event => setOpen(event.currentTarget.open)}>
            <summary>Request as JSON</summary>
            {isOpen && <RequestText run={run} />}
        </details>
    );
}

function RequestText({ run }: { run: string }) {
    const request = useApi('/api/runs/{run}/request', { path: { run } }, () => undefined);
    return <Loaded from={request}>{value => <pre tabIndex={0}>{JSON.stringify(value, null, 2)}</pre>}</Loaded>;
}
