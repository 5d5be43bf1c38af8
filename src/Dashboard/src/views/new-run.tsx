import type { ComponentChildren } from 'preact';
import { useEffect, useId, useState } from 'preact/hooks';
import { apiUrl, call, get } from '../api/client';
import { type ApiError, toError } from '../api/errors';
import type { Schemas } from '../api/schema';
import { Choice } from '../components/Choice';
import { ErrorBox } from '../components/ErrorBox';
import { attempt, notify } from '../components/Toasts';
import { View } from '../components/View';
import { formatBytes, formatCount, none } from '../format/format';
import { href, navigate, type ViewProps } from '../shell/router';
import { Quality } from './dataset-quality';
import { FurtherFields } from './new-run-fields';
import {
    curlOf, type FieldEntry, fieldsOf, requestOf, type Setting, setting, settingsUnder, templateOf, textOf, type Values,
    valuesOf,
} from './new-run-settings';
import './runs.css';

type Inspection = Schemas['DatasetInspection'];

const usual = ['training.method', 'training.epochs', 'training.batchSize', 'training.learningRate'];
/** What names a dataset in each place. */
const members = {
    hub: ['dataset.repo', 'dataset.revision', 'dataset.config'],
    storage: [...settingsUnder('dataset.source.').map(({ path }) => path), 'dataset.repo', 'dataset.config'],
    ingested: ['dataset.repo', 'dataset.revision', 'dataset.view'],
};
type Place = keyof typeof members;
const places = Object.keys(members) as Place[];
const placeNames = {
    hub: 'Repository on the Hugging Face Hub', storage: 'Folder in blob storage', ingested: 'Ingested dataset',
};
const required = { hub: ['dataset.repo'], storage: ['dataset.source.container'], ingested: members.ingested };
const missing = {
    hub: "The dataset's repository is missing.", storage: "The dataset's container is missing.",
    ingested: "The dataset's repository, commit and settings are missing, or one of them: its page has a link to here.",
};

const placeOf = (dataset: Schemas['RunRequest']['dataset']): Place =>
    dataset?.view ? 'ingested' : dataset?.source ? 'storage' : 'hub';

/** Values without those of the dataset that a place has no use for: an ingested one is used as it is. */
const valuesAt = (place: Place, values: Values): Values => {
    const elsewhere = Object.values(members).flat().filter(path => !members[place].includes(path));
    return Object.fromEntries(Object.entries(values).filter(([path]) =>
        !elsewhere.includes(path) && (place !== 'ingested' || !path.startsWith('dataset.') || members.ingested.includes(path))));
};
const roles = ['image', 'title', 'category', 'price', 'product'] as const;

/** A form for a run's request, made from the API's own description of it. */
export default function NewRun({ query }: ViewProps) {
    const from = query.get('from');
    const [values, setValues] = useState<Values>(() => Object.fromEntries(
        [['repo', 'dataset'], ['revision', 'commit'], ['view', 'view']].flatMap(([member, name]) => {
            const value = query.get(name!);
            return value ? [[`dataset.${member}`, value]] : [];
        })));
    const [fields, setFields] = useState<readonly FieldEntry[]>([]);
    const [place, setPlace] = useState<Place>(query.get('view') ? 'ingested' : 'hub');
    const [inspection, setInspection] = useState<Inspection>();
    const [error, setError] = useState<ApiError>();
    const [busy, setBusy] = useState<'inspecting' | 'starting'>();

    useEffect(() => {
        if (!from) return;
        void attempt(async () => {
            const request = await get('/api/runs/{run}/request', { path: { run: from } });
            const further = fieldsOf(request.dataset?.columns);
            const origin = placeOf(request.dataset);
            const entered = valuesAt(origin, valuesOf(request));
            // Made when the run was accepted: with other fields it is another one.
            const isMade = entered['training.answerTemplate'] === templateOf(further);
            setValues(isMade ? { ...entered, 'training.answerTemplate': '' } : entered);
            setFields(further);
            setPlace(origin);
        });
    }, [from]);

    const enter = (changes: Values) => setValues(before => ({ ...before, ...changes }));
    const request = requestOf(values, fields);

    const work = async (what: 'inspecting' | 'starting', action: () => Promise<void>) => {
        setBusy(what);
        setError(undefined);
        try {
            await action();
        } catch (e) {
            setError(toError(e));
        } finally {
            setBusy(undefined);
        }
    };
    const inspect = () => work('inspecting', async () => {
        const dataset = { ...requestOf(values)['dataset'] as Schemas['DatasetRequest'] };
        // Without its columns, so that they are guessed: this may be another dataset.
        delete dataset.columns;
        const found = await call('post', '/api/datasets/inspect', { body: dataset });
        setInspection(found);
        enter(Object.fromEntries(roles.map(role => [`dataset.columns.${role}`, found.mapping?.[role] ?? ''])));
        setFields(fieldsOf(found.mapping));
    });
    const start = () => work('starting', async () => {
        const accepted = await call('post', '/api/runs', { body: request as Schemas['RunRequest'] });
        notify(`${accepted.run} has been started`);
        navigate(href('/runs/{run}', { run: accepted.run }));
    });

    // The inspection takes a dataset, whose members have shorter paths.
    const errorAt = (path: string) => error?.fields.get(path) ?? error?.fields.get(path.replace(/^dataset\./, ''));
    const errorIn = (path: string) => error?.in(path) ?? error?.in(path.replace(/^dataset\./, ''));
    const field = (path: string, options?: readonly string[]) => (
        <Field key={path} setting={setting(path)} value={values[path] ?? ''} error={errorAt(path)}
            {...(options && { options })} onEnter={text => enter({ [path]: text })} />
    );
    const isMissing = required[place].some(path => !values[path]);
    // The request has room for one of them.
    const isDouble = new Set(fields.map(({ name }) => name)).size < fields.length;
    const isLora = values['training.method'] === 'lora';
    const advanced = settingsUnder('training.').map(({ path }) => path)
        .filter(path => !usual.includes(path) && !path.startsWith('training.lora.'));
    const hasErrorIn = (paths: readonly string[]) => paths.some(path => errorAt(path) !== undefined);

    return (
        <View title="New run" parent={{ label: 'Runs', href: href('/runs') }}
            subtitle={from && <>with the settings of <a href={href('/runs/{run}', { run: from })}>{from}</a></>}>
            <div class="new-run">
                <form class="stack" onSubmit={event => {
                    event.preventDefault();
                    void start();
                }}>
                    <Group title="Dataset">
                        <Choice label="Place" options={places} selected={place} name={place => placeNames[place]} onSelect={chosen => {
                            setPlace(chosen);
                            // A commit of one place is none of another.
                            setValues(before => valuesAt(chosen, { ...before, 'dataset.revision': '' }));
                            if (chosen === 'ingested') {
                                setInspection(undefined);
                                setFields([]);
                            }
                        }} />
                        <div class="fields">
                            {members[place].map(path => field(path, path === 'dataset.config' ? inspection?.configs : undefined))}
                        </div>
                        {place !== 'ingested' && (
                            <div class="actions">
                                <button type="button" disabled={busy !== undefined || isMissing} onClick={() => void inspect()}>
                                    {busy === 'inspecting' ? 'Inspecting…' : 'Inspect the dataset'}
                                </button>
                                <span class="hint">Reads its schema, guesses the columns and stores nothing.</span>
                            </div>
                        )}
                        {inspection && <Inspected inspection={inspection} />}
                        {(inspection || values['dataset.columns.image']) && (
                            <div class="fields">
                                {roles.map(role => field(`dataset.columns.${role}`, inspection?.columns.map(column => column.name)))}
                            </div>
                        )}
                        {(inspection || fields.length > 0) && (
                            <FurtherFields fields={fields} set={setFields} template={values['training.answerTemplate']} errorIn={errorIn}
                                columns={(inspection?.columns ?? []).filter(({ name }) =>
                                    roles.every(role => values[`dataset.columns.${role}`] !== name))} />
                        )}
                        {place !== 'ingested' && (
                            <div class="fields">
                                {['images', ...(values['dataset.images'] ? ['maxImages'] : []), 'maxRows', 'validationFraction',
                                    'testFraction'].map(name => field(`dataset.${name}`))}
                            </div>
                        )}
                    </Group>
                    <Group title="Base model"><div class="fields">{settingsUnder('baseModel.').map(({ path }) => field(path))}</div></Group>
                    <Group title="Training">
                        <div class="fields">{usual.map(path => field(path))}</div>
                        {isLora && (
                            <>
                                <h3>Adapters</h3>
                                <div class="fields">{settingsUnder('training.lora.').map(({ path }) => field(path))}</div>
                            </>
                        )}
                        <details open={hasErrorIn(advanced) || undefined}>
                            <summary>
                                Advanced settings
                                {changedText(advanced.filter(path => values[path]).length)}
                            </summary>
                            <div class="fields">{advanced.map(path => field(path))}</div>
                        </details>
                    </Group>
                    <Group title="Run"><div class="fields">{['run', 'publish', 'includeCorrections'].map(path => field(path))}</div></Group>
                    {error && <ErrorBox error={error} />}
                    <div class="actions">
                        <button type="submit" class="primary" disabled={busy !== undefined || isMissing || isDouble}>
                            {busy === 'starting' ? 'Starting…' : 'Start the run'}
                        </button>
                        {isMissing && <span class="hint">{missing[place]}</span>}
                        {isDouble && <span class="hint">Two further fields have the same name.</span>}
                    </div>
                </form>
                <aside class="stack" aria-label="The request">
                    <Copyable title="Request" text={JSON.stringify(request, null, 2)} />
                    <Copyable title="As a command" text={curlOf(apiUrl('/api/runs'), request)} />
                </aside>
            </div>
        </View>
    );
}

const changedText = (count: number) => (count > 0 ? ` (${count} changed)` : '');

function Group({ title, children }: { title: string; children: ComponentChildren }) {
    return (
        <section class="card form" aria-label={title}>
            <h2>{title}</h2>
            {children}
        </section>
    );
}

interface FieldProps {
    setting: Setting;
    value: string;
    error: string | undefined;
    /** Values to choose from, for members whose description names none. */
    options?: readonly string[];
    onEnter: (text: string) => void;
}

function Field({ setting, value, error, options = setting.options, onEnter }: FieldProps) {
    const { path, label, description, type, fallback } = setting;
    const id = useId();
    const usual = fallback === undefined ? '' : textOf(fallback);
    const common = {
        id, name: path, 'aria-invalid': error !== undefined, 'aria-describedby': `${id}-hint ${id}-error`,
        onInput: (event: Event) => onEnter((event.currentTarget as HTMLInputElement).value),
    };
    return (
        <div class="field">
            <label for={id}>{label}</label>
            {options
                ? (
                    <select {...common} value={value}>
                        <option value="">{usual ? `${usual} (default)` : 'not set'}</option>
                        {[...new Set([...options, ...(value ? [value] : [])])].filter(option => option !== usual)
                            .map(option => <option key={option} value={option}>{option}</option>)}
                    </select>
                )
                : usual.includes('\n')
                    ? <textarea {...common} value={value} placeholder={usual} rows={3} />
                    : (
                        <input {...common} value={value} placeholder={usual} autoComplete="off" spellcheck={false}
                            inputMode={type === 'integer' ? 'numeric' : type === 'number' ? 'decimal' : 'text'} />
                    )}
            <Hint id={`${id}-hint`} text={description} />
            <span id={`${id}-error`} class="field-error">{error}</span>
        </div>
    );
}

/** A description, whose names in backquotes are code. */
function Hint({ id, text }: { id: string; text: string }) {
    return (
        <span id={id} class="hint">
            {text.split('`').map((part, i) => (i % 2 === 1 ? <code key={`${i} ${part}`}>{part}</code> : part))}
        </span>
    );
}

function Inspected({ inspection: { commit, splits, columns, sampleRows, guess, form, warnings = [] } }: { inspection: Inspection }) {
    return (
        <div class="stack">
            <p>
                Commit <code>{commit.slice(0, 12)}</code>.{' '}
                {Object.entries(splits).map(([name, { rows, files, bytes }]) => {
                    const size = rows === undefined ? formatCount(files, 'file') : formatCount(rows, 'row');
                    return `${name}: ${size}, ${formatBytes(bytes)}`;
                }).join('; ')}
            </p>
            {form && <p>Read as {form}</p>}
            {guess && <p class="box">{guess}</p>}
            <Quality warnings={warnings} />
            <div class="table-scroll inspected" role="region" aria-label="First rows" tabIndex={0}>
                <table>
                    <caption class="sr-only">First rows of the dataset</caption>
                    <thead>
                        <tr>
                            {columns.map(({ name, type, feature }) => (
                                <th key={name} scope="col">{name}<br /><span class="small mono">{feature ?? type}</span></th>
                            ))}
                        </tr>
                    </thead>
                    <tbody>
                        {sampleRows.map((row, i) => (
                            // oxlint-disable-next-line react/no-array-index-key
                            <tr key={i}>
                                {columns.map(({ name }) => <td key={name}><span class="inspected-cell">{row[name] ?? none}</span></td>)}
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </div>
    );
}

function Copyable({ title, text }: { title: string; text: string }) {
    const copy = () => attempt(() => navigator.clipboard.writeText(text), `${title} copied`);
    return (
        <section class="card form" aria-label={title}>
            <div class="toolbar">
                <h2 class="grow">{title}</h2>
                <button type="button" aria-label={`Copy: ${title}`} onClick={() => void copy()}>Copy</button>
            </div>
            <pre tabIndex={0}>{text}</pre>
        </section>
    );
}
