import { useEffect, useRef, useState } from 'preact/hooks';
import { get } from '../api/client';
import { useApi } from '../api/polling';
import type { Schemas } from '../api/schema';
import { Sparkline } from '../charts/Sparkline';
import { Choice } from '../components/Choice';
import { Empty } from '../components/Empty';
import { Freshness } from '../components/Freshness';
import { Loaded } from '../components/Loaded';
import { Time } from '../components/Time';
import { attempt } from '../components/Toasts';
import { View } from '../components/View';
import { formatDuration, formatPercent, formatSignificant, none } from '../format/format';
import { href, setQuery, type ViewProps } from '../shell/router';
import { hasEnded, type RunView, secondsOf, StatusBadge } from './run-state';
import './runs.css';

const filters: Record<string, string> = {
    '': 'All', 'Pending,Running': 'In progress', 'Completed': 'Completed', 'Failed': 'Failed', 'Terminated': 'Cancelled',
};

const mostCompared = 4;

/** All runs, newest first. */
export default function Runs({ query }: ViewProps) {
    const status = query.get('status') ?? '';
    return (
        <View title="Runs" actions={<a class="button" href={href('/new-run')}>New run</a>}>
            <div class="toolbar">
                <Choice label="Status" options={Object.keys(filters)} selected={status} name={status => filters[status]!}
                    onSelect={status => setQuery({ status })} />
            </div>
            <List key={status} status={status} />
        </View>
    );
}

function List({ status }: { status: string }) {
    const page = useApi('/api/runs', { query: { top: 50, ...(status && { status }) } }, 5000);
    const [older, setOlder] = useState<readonly RunView[]>([]);
    const [continuation, setContinuation] = useState<string | null>();
    const [chosen, setChosen] = useState<readonly string[]>([]);
    const choose = (run: string) => setChosen(chosen.includes(run) ? chosen.filter(one => one !== run) : [...chosen, run]);
    return (
        <Loaded from={page}>{value => {
            // A new run moves the first page; what has left it is among the older ones only when it was there before.
            const runs = [...value.runs, ...older.filter(run => !value.runs.some(one => one.run === run.run))];
            const next = continuation === undefined ? value.continuation : continuation ?? undefined;
            const readOlder = () => attempt(async () => {
                const more = await get('/api/runs', { query: { top: 50, continuation: next!, ...(status && { status }) } });
                setOlder([...older, ...more.runs]);
                setContinuation(more.continuation ?? null);
            });
            return runs.length === 0
                ? (
                    <Empty title={status ? 'No run has this status.' : 'There is no run yet.'}>
                        {!status && <p><a href={href('/new-run')}>Start one</a> from a dataset on the Hugging Face Hub.</p>}
                    </Empty>
                )
                : (
                    <>
                        <div class="toolbar">
                            <p class="grow muted"><Freshness of={page} /></p>
                            {chosen.length >= 2 && chosen.length <= mostCompared
                                ? <a class="button" href={href('/compare', {}, { runs: chosen.join(',') })}>Compare {chosen.length} runs</a>
                                : (
                                    <span class="muted small">
                                        {chosen.length > mostCompared
                                            ? `Compare takes no more than ${mostCompared} runs.`
                                            : 'Select two to four runs to compare them.'}
                                    </span>
                                )}
                        </div>
                        <div class="table-scroll" role="region" aria-label="Runs" tabIndex={0}>
                            <table class="runs">
                                <caption class="sr-only">Runs, newest first</caption>
                                <thead>
                                    <tr>
                                        <th scope="col"><span class="sr-only">Compare</span></th>
                                        <th scope="col">Run</th>
                                        <th scope="col">Status</th>
                                        <th scope="col">Training loss</th>
                                        <th scope="col" class="number">Accuracy</th>
                                        <th scope="col">Dataset</th>
                                        <th scope="col">Sweep</th>
                                        <th scope="col" class="number">Duration</th>
                                        <th scope="col">Started</th>
                                    </tr>
                                </thead>
                                <tbody>
                                    {runs.map(run => (
                                        <Line key={run.run} run={run} isChosen={chosen.includes(run.run)} choose={() => choose(run.run)} />
                                    ))}
                                </tbody>
                            </table>
                        </div>
                        {next && <div class="more"><button type="button" onClick={() => void readOlder()}>Older runs</button></div>}
                    </>
                );
        }}
        </Loaded>
    );
}

function Line({ run, isChosen, choose }: { run: RunView; isChosen: boolean; choose: () => void }) {
    const line = useRef<HTMLTableRowElement>(null);
    const [isSeen, setSeen] = useState(false);
    useEffect(() => {
        const observer = new IntersectionObserver(changes => {
            if (!changes.some(change => change.isIntersecting)) return;
            observer.disconnect();
            setSeen(true);
        }, { rootMargin: '100px' });
        observer.observe(line.current!);
        return () => observer.disconnect();
    }, []);
    return (
        <tr ref={line}>
            <td><input type="checkbox" checked={isChosen} onChange={choose} aria-label={`Compare ${run.run}`} /></td>
            <th scope="row"><a href={href('/runs/{run}', { run: run.run })}>{run.run}</a></th>
            <td>
                <StatusBadge status={run.runtimeStatus} />
                {!hasEnded(run) && run.status && <span class="small muted"> {phaseText(run.status)}</span>}
            </td>
            {isSeen ? <SummaryCells run={run} /> : <td colSpan={4}><span class="muted">…</span></td>}
            <td class="number nowrap">{formatDuration(secondsOf(run))}</td>
            <td class="nowrap"><Time at={run.createdAt} /></td>
        </tr>
    );
}

/** Phase of a run in progress, with the share of its steps. */
function phaseText({ phase, training }: Schemas['RunProgress']): string {
    if (phase !== 'training' || !training || training.steps === 0) return phase;
    return `${phase} ${formatPercent(training.step / training.steps, 0)}`;
}

function SummaryCells({ run }: { run: RunView }) {
    const isLive = useRef(true);
    isLive.current = !hasEnded(run);
    const summary = useApi('/api/runs/{run}/summary', { path: { run: run.run } }, () => (isLive.current ? 10_000 : undefined));
    const { trainingLoss = [], validationLoss = [], result, dataset, sweep } = summary.value.value ?? {};
    const evaluation = result?.test ?? result?.fineTuned;
    const last = validationLoss.at(-1);
    const lossText = [
        `training loss from ${formatSignificant(trainingLoss[0]?.value, 3)} to ${formatSignificant(trainingLoss.at(-1)?.value, 3)}`,
        last ? `validation loss ${formatSignificant(last.value, 3)}` : '',
    ].filter(Boolean).join(', ');
    return (
        <>
            <td>
                {trainingLoss.length > 0
                    ? <Sparkline label={lossText} points={trainingLoss.map(({ step, value }) => ({ x: step, y: value }))} />
                    : none}
            </td>
            <td class="number nowrap">
                {evaluation?.categoryAccuracy === undefined ? none : (
                    <>
                        {formatPercent(evaluation.categoryAccuracy)}
                        <br />
                        <span class="small muted">majority {formatPercent(evaluation.majorityCategoryAccuracy)}</span>
                    </>
                )}
            </td>
            <td>{dataset ?? none}</td>
            <td>{sweep ?? none}</td>
        </>
    );
}
