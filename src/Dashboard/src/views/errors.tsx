import { useMemo, useState } from 'preact/hooks';
import { apiUrl } from '../api/client';
import { useApi } from '../api/polling';
import type { Schemas } from '../api/schema';
import { AnswerDiff } from '../charts/AnswerDiff';
import { answeredName, ConfusionMatrix } from '../charts/ConfusionMatrix';
import { calibrationError, confusionOf, errorOf, isRight, knownCategory, rated, reliabilityOf, worst } from '../charts/evaluation';
import { NumberScatter } from '../charts/NumberScatter';
import { ReliabilityTable } from '../charts/ReliabilityTable';
import { ApiImage } from '../components/ApiImage';
import { Choice } from '../components/Choice';
import { Dialog } from '../components/Dialog';
import { Empty } from '../components/Empty';
import { ErrorBox } from '../components/ErrorBox';
import { Tabs } from '../components/Tabs';
import { type Field, type FieldKind, type FieldValue, formatValue, kindOf, labelOf, namesOf, valueOf } from '../format/fields';
import { formatCount, formatInteger, formatPercent, none } from '../format/format';
import { fieldMetrics } from '../format/metrics';
import { setQuery, type ViewProps } from '../shell/router';
import { splitRepo } from './datasets-link';
import { type Answer, useAnswers } from './errors-answers';
import { RunFrame } from './run-state';
import './runs.css';

const models = [{ key: 'fine-tuned', label: 'Fine-tuned' }, { key: 'base', label: 'Base model' }];

/** Answers that opened from a chart or a cell. */
interface Opened {
    title: string;
    answers: readonly Answer[];
}

/** Evaluations of a run. */
type Evaluations = readonly (Schemas['EvaluationMetrics'] | undefined)[];

/** Where the models of a run are wrong, by field: confusion of categories, numbers against true ones, the worst answers. */
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
    const evaluations = useMemo(() => [result?.base, result?.fineTuned, result?.test], [result]);
    const fields = useMemo(() => fieldsOf(answers, evaluations), [answers, evaluations]);
    const field = fields.find(one => one.name === query.get('field')) ?? fields.find(one => one.kind === 'category') ?? fields[0];
    return (
        <RunFrame run={run} title={`Errors of ${run}`}>
            <Tabs label="Model" tabs={models} selected={model} onSelect={key => setQuery({ model: key, split: undefined })}>
                <div class="toolbar">
                    <Choice label="Split" options={splits} selected={split} onSelect={split => setQuery({ split })} />
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
                    : field && (
                        <>
                            <div class="toolbar">
                                <Choice label="Field" options={fields.map(({ name }) => name)} selected={field.name} name={labelOf}
                                    onSelect={field => setQuery({ field })} />
                            </div>
                            <FieldErrors key={`${model} ${split} ${field.name}`} open={setOpened}
                                {...{ field, fields, answers, evaluations, repo }} />
                        </>
                    )}
            </Tabs>
            {opened && (
                <Dialog title={opened.title} isWide onClose={() => setOpened(undefined)}>
                    <SampleList answers={opened.answers} fields={fields} repo={repo} />
                </Dialog>
            )}
        </RunFrame>
    );
}

/** Fields that any of the samples has. Evaluations tell kinds and units; until there is one, values tell the kind. */
function fieldsOf(answers: readonly Answer[], evaluations: Evaluations): Field[] {
    return namesOf(...answers.map(({ truth }) => truth)).flatMap(name => {
        const measured = evaluations.map(metrics => metrics && fieldMetrics(metrics, name)).find(one => one !== undefined);
        const value = answers.map(({ truth }) => valueOf(truth, name)).find(one => one !== undefined);
        return value === undefined ? [] : [{ name, kind: measured?.kind ?? kindOf(name, value), unit: measured?.unit }];
    });
}

/** Categories of the dataset: the true ones of the answers, and those that the evaluations of the run knew. */
function categoriesOf(answers: readonly Answer[], evaluations: Evaluations, field: string): Set<string> {
    const known = new Set(rated(answers, field).map(({ truth }) => String(valueOf(truth, field))));
    for (const metrics of evaluations)
        for (const row of (metrics && fieldMetrics(metrics, field)?.confusion) ?? [])
            for (const category of [row.truth, ...Object.keys(row.answered)]) if (category !== '') known.add(category);
    return known;
}

interface FieldProps {
    field: Field;
    /** All of them. */
    fields: readonly Field[];
    answers: readonly Answer[];
    evaluations: Evaluations;
    repo: string | undefined;
    open: (opened: Opened) => void;
}

function FieldErrors({ field, fields, answers, evaluations, repo, open }: FieldProps) {
    const reliability = useMemo(() => reliabilityOf(answers, field), [answers, field]);
    const calibration = calibrationError(reliability);
    return (
        <div class="stack">
            <section class="section" aria-labelledby="field">
                <h2 id="field">{labelOf(field.name)}</h2>
                <p class="hint">{rightText(answers, field)}{field.kind === 'category' && ' A number opens its images.'}</p>
                {field.kind === 'category' && <Categories {...{ field, answers, evaluations, open }} />}
                {field.kind === 'number' && <Numbers {...{ field, answers, open }} />}
            </section>
            <Worst {...{ field, fields, answers, repo }} />
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

const rightWords: Record<FieldKind, string> = {
    text: 'exactly right', category: 'right', number: 'within ten percent', list: 'right in any order',
};
const meanWords: Partial<Record<FieldKind, string>> = { text: 'Mean word F1', list: 'Mean item F1' };

function rightText(answers: readonly Answer[], field: Field): string {
    const known = rated(answers, field.name);
    const right = known.filter(answer => isRight(answer, field)).length;
    const mean = meanWords[field.kind];
    const error = known.reduce((sum, answer) => sum + (errorOf(answer, field) ?? 0), 0) / known.length;
    return `${formatInteger(right)} of ${formatInteger(known.length)} ${rightWords[field.kind]} (${formatPercent(right / known.length)}).`
        + (mean ? ` ${mean}: ${formatPercent(1 - error)}.` : '');
}

function Categories({ field: { name }, answers, evaluations, open }: Omit<FieldProps, 'repo' | 'fields'>) {
    const known = useMemo(() => categoriesOf(answers, evaluations, name), [answers, evaluations, name]);
    const confusion = useMemo(() => confusionOf(answers, name, known), [answers, name, known]);
    return (
        <ConfusionMatrix confusion={confusion} onOpen={(truth, category) => open({
            title: `${truth} answered as ${answeredName(category)}`,
            answers: answers.filter(answer =>
                valueOf(answer.truth, name) === truth && knownCategory(answer, name, known) === category),
        })} />
    );
}

function Numbers({ field: { name, unit }, answers, open }: Omit<FieldProps, 'repo' | 'fields' | 'evaluations'>) {
    const byKey = useMemo(() => new Map(answers.map(answer => [answer.truth.key, answer])), [answers]);
    const points = useMemo(() => rated(answers, name).map(answer => ({
        key: answer.truth.key, truth: Number(valueOf(answer.truth, name)),
        answered: valueOf(answer, name) as number | undefined,
    })), [answers, name]);
    return (
        <div class="card">
            <NumberScatter points={points} baseline={median(points.map(point => point.truth))} label={labelOf(name).toLowerCase()}
                format={value => formatValue(value, unit)}
                onOpen={key => open({ title: byKey.get(key)!.truth.title ?? key, answers: [byKey.get(key)!] })} />
        </div>
    );
}

/** Median of values, of which there is at least one. */
function median(values: readonly number[]): number {
    const sorted = values.toSorted((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const notes: Record<FieldKind, (value: number) => string> = {
    text: value => `word F1 ${formatPercent(1 - value, 0)}`,
    category: value => `wrong, confidence ${formatPercent(value, 0)}`,
    number: value => `off by ${formatPercent(value, 0)}`,
    list: value => `item F1 ${formatPercent(1 - value, 0)}`,
};

function Worst({ field, fields, answers, repo }: Pick<FieldProps, 'field' | 'fields' | 'answers' | 'repo'>) {
    const list = useMemo(() => worst(answers, field), [answers, field]);
    const note = (value: number) => `${labelOf(field.name)}: ${notes[field.kind](value)}`;
    return (
        <section class="section" aria-labelledby="worst">
            <h2 id="worst">The fifty worst</h2>
            {list.length === 0
                ? <Empty title="No answer is wrong in this." />
                : <SampleList answers={list.map(one => one.answer)} fields={fields} repo={repo} note={i => note(list[i]!.value)} />}
        </section>
    );
}

const shownAtFirst = 50;

/** Samples with image, truth and answer. */
function SampleList({ answers, fields, repo, note }: {
    answers: readonly Answer[];
    fields: readonly Field[];
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
                            {namesOf(answer.truth, answer).map(name => (
                                <FieldLine key={name} name={labelOf(name)} unit={fields.find(field => field.name === name)?.unit}
                                    truth={valueOf(answer.truth, name)} answer={valueOf(answer, name)} />
                            ))}
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

interface LineProps {
    name: string;
    unit: string | undefined;
    truth: FieldValue | undefined;
    answer: FieldValue | undefined;
}

function FieldLine({ name, unit, truth, answer }: LineProps) {
    if (truth === undefined && answer === undefined) return null;
    const [wanted, given] = [formatValue(truth, unit), formatValue(answer, unit)];
    return (
        <p>
            <span class="muted">{name}: </span>
            {truth === undefined ? given : wanted === given ? wanted : answer === undefined
                ? <><AnswerDiff answer="" truth={wanted} /> <span class="muted">for</span> {wanted}</>
                : <AnswerDiff answer={given} truth={wanted} />}
            {truth === undefined && <span class="muted"> (truth: {none})</span>}
        </p>
    );
}
