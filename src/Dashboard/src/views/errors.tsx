import { useMemo, useState } from 'preact/hooks';
import { apiUrl } from '../api/client';
import { useApi } from '../api/polling';
import type { Schemas } from '../api/schema';
import { AnswerDiff } from '../charts/AnswerDiff';
import { answeredName, ConfusionMatrix } from '../charts/ConfusionMatrix';
import { type Badness, calibrationError, confusionOf, knownCategory, reliabilityOf, worst } from '../charts/evaluation';
import { PriceScatter } from '../charts/PriceScatter';
import { ReliabilityTable } from '../charts/ReliabilityTable';
import { ApiImage } from '../components/ApiImage';
import { Dialog } from '../components/Dialog';
import { Empty } from '../components/Empty';
import { ErrorBox } from '../components/ErrorBox';
import { Tabs } from '../components/Tabs';
import { formatCount, formatInteger, formatNumber, formatPercent, none } from '../format/format';
import { setQuery, type ViewProps } from '../shell/router';
import { splitRepo } from './datasets-link';
import { type Answer, useAnswers } from './errors-answers';
import { RunFrame } from './run-state';
import './runs.css';

const models = [{ key: 'fine-tuned', label: 'Fine-tuned' }, { key: 'base', label: 'Base model' }];
const kinds: { key: Badness; label: string; value: (value: number) => string }[] = [
    { key: 'price', label: 'Price', value: value => `price off by ${formatPercent(value / 100, 0)}` },
    { key: 'category', label: 'Category', value: value => `wrong category, confidence ${formatPercent(value, 0)}` },
    { key: 'title', label: 'Title', value: value => `title F1 ${formatNumber(1 - value)}` },
];

/** Answers that opened from a chart or a cell. */
interface Opened {
    title: string;
    answers: readonly Answer[];
}

/** Where the models of a run are wrong: confusion of categories, prices, the worst answers. */
export default function Errors({ params, query }: ViewProps) {
    const run = params['run']!;
    const model = query.get('model') ?? 'fine-tuned';
    const split = query.get('split') ?? 'validation';
    // The base model answers no test split.
    const splits = model === 'base' ? ['validation'] : ['validation', 'test'];
    const summary = useApi('/api/runs/{run}/summary', { path: { run } }, () => undefined);
    const { answers, isComplete, error, retry } = useAnswers(run, model, splits.includes(split) ? split : 'validation');
    const [opened, setOpened] = useState<Opened>();
    const { dataset: repo, result } = summary.value.value ?? {};
    return (
        <RunFrame run={run} title={`Errors of ${run}`}>
            <Tabs label="Model" tabs={models} selected={model} onSelect={key => setQuery({ model: key, split: undefined })}>
                <div class="toolbar">
                    <fieldset class="choice">
                        <legend class="sr-only">Split</legend>
                        {splits.map(one => (
                            <label key={one}>
                                <input type="radio" name="split" checked={one === split} onChange={() => setQuery({ split: one })} /> {one}
                            </label>
                        ))}
                    </fieldset>
                    <span class="muted" role="status">
                        {formatCount(answers.length, 'answer')}{!isComplete && !error && ', reading more…'}
                    </span>
                </div>
                {error && error.status !== 404 && <ErrorBox error={error} retry={retry} />}
                {answers.length === 0 && (isComplete || error?.status === 404)
                    ? (
                        <Empty title={`There are no answers of the ${model} model to the ${split} split.`}>
                            <p>The worker keeps them when it evaluates: the base model before training, the fine-tuned one at its end.</p>
                        </Empty>
                    )
                    : <Charts key={`${model} ${split}`} answers={answers} repo={repo} result={result} open={setOpened} />}
            </Tabs>
            {opened && (
                <Dialog title={opened.title} isWide onClose={() => setOpened(undefined)}>
                    <SampleList answers={opened.answers} repo={repo} />
                </Dialog>
            )}
        </RunFrame>
    );
}

/** Categories of the dataset: the true ones of the answers, and those that the evaluations of the run knew. */
function categoriesOf(answers: readonly Answer[], result: Schemas['TrainingResult'] | undefined): Set<string> {
    const known = new Set(answers.flatMap(({ truth: { category } }) => (category === undefined ? [] : [category])));
    for (const metrics of [result?.base, result?.fineTuned, result?.test])
        for (const row of metrics?.confusion ?? [])
            for (const category of [row.truth, ...Object.keys(row.answered)]) if (category !== '') known.add(category);
    return known;
}

interface ChartsProps {
    answers: readonly Answer[];
    repo: string | undefined;
    result: Schemas['TrainingResult'] | undefined;
    open: (opened: Opened) => void;
}

function Charts({ answers, repo, result, open }: ChartsProps) {
    const known = useMemo(() => categoriesOf(answers, result), [answers, result]);
    const confusion = useMemo(() => confusionOf(answers, known), [answers, known]);
    const reliability = useMemo(() => reliabilityOf(answers), [answers]);
    const byKey = useMemo(() => new Map(answers.map(answer => [answer.truth.key, answer])), [answers]);
    const prices = useMemo(() => answers.flatMap(({ truth, price }) =>
        (truth.price === undefined ? [] : [{ key: truth.key, truth: truth.price, answered: price }])), [answers]);
    const calibration = calibrationError(reliability);
    return (
        <div class="stack">
            {confusion.truths.length > 0 && (
                <section class="section" aria-labelledby="confusion">
                    <h2 id="confusion">Categories</h2>
                    <p class="hint">{accuracyText(answers)} A number opens its images.</p>
                    <ConfusionMatrix confusion={confusion} onOpen={(truth, category) => open({
                        title: `${truth} answered as ${answeredName(category)}`,
                        answers: answers.filter(answer =>
                            answer.truth.category === truth && knownCategory(answer, known) === category),
                    })} />
                </section>
            )}
            {prices.length > 0 && (
                <section class="section" aria-labelledby="prices">
                    <h2 id="prices">Prices</h2>
                    <div class="card">
                        <PriceScatter points={prices} baseline={median(prices.map(point => point.truth))} format={formatNumber}
                            onOpen={key => open({ title: byKey.get(key)!.truth.title ?? key, answers: [byKey.get(key)!] })} />
                    </div>
                </section>
            )}
            <Worst answers={answers} repo={repo} />
            {calibration !== undefined && (
                <section class="section" aria-labelledby="reliability">
                    <h2 id="reliability">Reliability of the confidence</h2>
                    <p class="hint">
                        Of answers with a confidence of 80 %, 80 % should be right. Mean distance: {formatPercent(calibration)}.
                    </p>
                    <ReliabilityTable bins={reliability} />
                </section>
            )}
        </div>
    );
}

function accuracyText(answers: readonly Answer[]): string {
    const rated = answers.filter(answer => answer.truth.category !== undefined);
    const right = rated.filter(answer => answer.truth.category === answer.category).length;
    return `${formatInteger(right)} of ${formatInteger(rated.length)} right (${formatPercent(right / rated.length)}).`;
}

/** Median of values, of which there is at least one. */
function median(values: readonly number[]): number {
    const sorted = values.toSorted((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function Worst({ answers, repo }: { answers: readonly Answer[]; repo: string | undefined }) {
    const [kind, setKind] = useState<Badness>('price');
    const list = useMemo(() => worst(answers, kind), [answers, kind]);
    const { value } = kinds.find(one => one.key === kind)!;
    return (
        <section class="section" aria-labelledby="worst">
            <div class="toolbar">
                <h2 id="worst" class="grow">The fifty worst</h2>
                <label>By <select value={kind} onChange={event => setKind(event.currentTarget.value as Badness)}>
                    {kinds.map(({ key, label }) => <option key={key} value={key}>{label.toLowerCase()}</option>)}
                </select></label>
            </div>
            {list.length === 0
                ? <Empty title="No answer is wrong in this." />
                : <SampleList answers={list.map(one => one.answer)} repo={repo} note={i => value(list[i]!.value)} />}
        </section>
    );
}

const shownAtFirst = 50;

/** Samples with image, truth and answer. */
function SampleList({ answers, repo, note }: {
    answers: readonly Answer[];
    repo: string | undefined;
    note?: (index: number) => string;
}) {
    const [count, setCount] = useState(shownAtFirst);
    return (
        <>
            <ul class="samples">
                {answers.slice(0, count).map((answer, i) => (
                    <li key={answer.truth.key} class="sample">
                        {repo !== undefined && (
                            <ApiImage class="sample-image" alt={answer.truth.title ?? answer.truth.key}
                                url={apiUrl('/api/datasets/{owner}/{name}/images/{sha256}', {
                                    path: { ...splitRepo(repo), sha256: answer.truth.sha256 }, query: { width: 160 },
                                })} />
                        )}
                        <div class="sample-text">
                            {note && <p class="warn-text">{note(i)}</p>}
                            <Field name="Title" truth={answer.truth.title} answer={answer.title} />
                            <Field name="Category" truth={answer.truth.category} answer={answer.category} />
                            <Field name="Price" truth={answer.truth.price?.toString()} answer={answer.price?.toString()} />
                            <p class="small muted">
                                <span class="mono">{answer.truth.key}</span>, confidence {formatPercent(answer.confidence.answer, 0)}
                            </p>
                        </div>
                    </li>
                ))}
            </ul>
            {answers.length > count && (
                <button type="button" onClick={() => setCount(count + shownAtFirst)}>Show more of {formatInteger(answers.length)}</button>
            )}
        </>
    );
}

function Field({ name, truth, answer }: { name: string; truth: string | undefined; answer: string | undefined }) {
    if (truth === undefined && answer === undefined) return null;
    return (
        <p>
            <span class="muted">{name}: </span>
            {truth === undefined ? answer : truth === answer ? truth : answer === undefined
                ? <><AnswerDiff answer="" truth={truth} /> <span class="muted">for</span> {truth}</>
                : <AnswerDiff answer={answer} truth={truth} />}
            {truth === undefined && <span class="muted"> (truth: {none})</span>}
        </p>
    );
}
