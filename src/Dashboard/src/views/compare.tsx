import { useMemo } from 'preact/hooks';
import { get } from '../api/client';
import { usePolled } from '../api/polling';
import type { Schemas } from '../api/schema';
import { LineChart } from '../charts/LineChart';
import type { Series } from '../charts/series';
import { Empty } from '../components/Empty';
import { Loaded } from '../components/Loaded';
import { View } from '../components/View';
import { formatDifference, formatSignificant, none } from '../format/format';
import { metricsOf } from '../format/metrics';
import { href, type ViewProps } from '../shell/router';
import { bestOf, differences } from './compare-settings';
import './runs.css';

/** What a comparison needs of a run. */
interface Compared {
    run: string;
    request: Schemas['RunRequest'];
    summary: Schemas['RunSummary'];
}

async function readRun(run: string, abort: AbortSignal): Promise<Compared> {
    const [request, summary] = await Promise.all([
        get('/api/runs/{run}/request', { path: { run } }, abort), get('/api/runs/{run}/summary', { path: { run } }, abort),
    ]);
    return { run, request, summary };
}

/** Two to four runs beside each other: settings that differ, curves on one axis, metrics with their differences. */
export default function Compare({ query }: ViewProps) {
    const names = [...new Set((query.get('runs') ?? '').split(',').filter(Boolean))].slice(0, 4);
    const runs = usePolled(
        `compare ${names.join(',')}`, abort => Promise.all(names.map(name => readRun(name, abort))),
        values => (values.every(value => value.summary.result) ? undefined : 10_000));
    return (
        <View title="Compare runs" parent={{ label: 'Runs', href: href('/runs') }}>
            {names.length < 2
                ? <Empty title="A comparison needs two runs."><p>Select them in the <a href={href('/runs')}>list of runs</a>.</p></Empty>
                : <Loaded from={runs}>{values => <Comparison runs={values} />}</Loaded>}
        </View>
    );
}

const unit = 'nats per answer token';

function Comparison({ runs }: { runs: readonly Compared[] }) {
    const curves = (of: 'trainingLoss' | 'validationLoss'): Series[] => runs.map(({ run, summary }, i) => ({
        label: run, colour: (i + 1) as Series['colour'], isMeasuredSeldom: of === 'validationLoss',
        points: summary[of].map(({ step, value }) => ({ x: step, y: value })),
    }));
    const training = useMemo(() => curves('trainingLoss'), [runs]);
    const validation = useMemo(() => curves('validationLoss'), [runs]);
    return (
        <div class="stack">
            <section class="stack" aria-labelledby="metrics">
                <h2 id="metrics">Metrics</h2>
                <Metrics runs={runs} />
            </section>
            <section class="stack" aria-labelledby="curves">
                <h2 id="curves">Curves</h2>
                <div class="charts">
                    <div class="card chart-wide"><LineChart title="Validation loss" unit={unit} series={validation} log /></div>
                    <div class="card chart-wide"><LineChart title="Training loss" unit={unit} series={training} log /></div>
                </div>
            </section>
            <section class="stack" aria-labelledby="settings">
                <h2 id="settings">Settings that differ</h2>
                <Settings runs={runs} />
            </section>
        </div>
    );
}

function Head({ runs, label }: { runs: readonly Compared[]; label: string }) {
    return (
        <thead>
            <tr>
                <th scope="col">{label}</th>
                {runs.map(({ run }) => <th key={run} scope="col" class="number"><a href={href('/runs/{run}', { run })}>{run}</a></th>)}
            </tr>
        </thead>
    );
}

function Metrics({ runs }: { runs: readonly Compared[] }) {
    const evaluations = runs.map(({ summary }) => summary.result?.fineTuned);
    const shown = metricsOf(evaluations);
    if (shown.length === 0) return <Empty title="None of these runs has been evaluated yet." />;
    return (
        <div class="table-scroll" role="region" aria-label="Metrics, table" tabIndex={0}>
            <table>
                <Head runs={runs} label="Fine-tuned model" />
                <tbody>
                    {shown.map(metric => {
                        const values = evaluations.map(evaluation => evaluation && metric.value(evaluation));
                        const best = bestOf(values, !metric.isBetterLow);
                        const first = values[0];
                        return (
                            <tr key={metric.key}>
                                <th scope="row">{metric.label}</th>
                                {values.map((value, i) => (
                                    <td key={runs[i]!.run} class="number">
                                        {best.has(i) && <span class="badge badge-good">best</span>} {metric.format(value)}
                                        {i > 0 && value !== undefined && first !== undefined && (
                                            <span class="difference muted">{formatDifference(value - first, metric.format)}</span>
                                        )}
                                    </td>
                                ))}
                            </tr>
                        );
                    })}
                </tbody>
            </table>
        </div>
    );
}

function Settings({ runs }: { runs: readonly Compared[] }) {
    const rows = differences(runs.map(({ request }) => request));
    if (rows.length === 0) return <Empty title="The runs have the same settings." />;
    return (
        <div class="table-scroll" role="region" aria-label="Settings that differ, table" tabIndex={0}>
            <table>
                <Head runs={runs} label="Setting" />
                <tbody>
                    {rows.map(({ path, values }) => (
                        <tr key={path}>
                            <th scope="row"><code>{path}</code></th>
                            {values.map((value, i) => <td key={runs[i]!.run} class="number break">{settingText(value)}</td>)}
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

function settingText(value: unknown): string {
    if (value === undefined) return none;
    return typeof value === 'number' ? formatSignificant(value) : typeof value === 'string' ? value : JSON.stringify(value);
}
