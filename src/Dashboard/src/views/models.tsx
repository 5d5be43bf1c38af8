import { useState } from 'preact/hooks';
import { call } from '../api/client';
import { type ApiError, toError } from '../api/errors';
import { useApi } from '../api/polling';
import type { Schemas } from '../api/schema';
import { Dialog } from '../components/Dialog';
import { Empty } from '../components/Empty';
import { ErrorBox } from '../components/ErrorBox';
import { focusFirstField } from '../components/focus';
import { Freshness } from '../components/Freshness';
import { Loaded } from '../components/Loaded';
import { MetricsTable } from '../components/MetricsTable';
import { type Column, Table } from '../components/Table';
import { Time } from '../components/Time';
import { attempt, notify } from '../components/Toasts';
import { View } from '../components/View';
import { formatSignificant, none } from '../format/format';
import { Markdown } from '../format/markdown';
import { headlinesOf } from '../format/metrics';
import { href, setQuery, type ViewProps } from '../shell/router';

type Model = Schemas['ModelView'];

/** Versions of the model: figures, cards, which of them serves and why. */
export default function Models({ query }: ViewProps) {
    const list = useApi('/api/models', {}, 15_000);
    const history = useApi('/api/models/history', {}, 15_000);
    const refresh = () => {
        void list.refresh();
        void history.refresh();
    };
    const chosen = query.get('model');
    const compared = query.get('compare')?.split(',') ?? [];
    return (
        <View title="Models" subtitle={<Freshness of={list} />}>
            <Loaded from={list}>{({ models }) => models.length === 0
                ? (
                    <Empty title="There is no model yet.">
                        <p>A run trains one, and publishes it if it is no worse than the one that serves.</p>
                    </Empty>
                )
                : (
                    <div class="stack sections">
                        <Serving models={models} changes={history.value.value?.changes ?? []} changed={refresh} />
                        <Versions models={models} compared={compared} />
                        <History changes={history.value.value?.changes ?? []} />
                        {chosen && <Details version={chosen} models={models} changed={refresh} />}
                    </div>
                )}
            </Loaded>
        </View>
    );
}

const link = (version: string) => href('/models', {}, { model: version });

type Change = Schemas['ModelChange'];

function Serving({ models, changes, changed }: { models: readonly Model[]; changes: readonly Change[]; changed: () => void }) {
    const model = models.find(model => model.serves);
    if (!model) {
        return (
            <section class="box box-warn" aria-label="Serving model">
                <p><strong>No model serves.</strong> Uploaded images wait. Activate a fine-tuned version, or start a run.</p>
            </section>
        );
    }
    const change = changes.find(change => change.version === model.version);
    return (
        <section class="card serving" aria-label="Serving model">
            <div class="serving-text">
                <p class="muted small">Serves{change && <> since <Time at={change.at} as="minute" /></>}</p>
                <p class="serving-name"><a href={link(model.version)}>{model.version}</a></p>
                {change && <p class="break">{change.reason}</p>}
                {change?.before && <p class="muted small">before: <a href={link(change.before)}>{change.before}</a></p>}
            </div>
            <dl class="figures">
                {model.fineTuned && headlinesOf([model.fineTuned]).map(({ key, label, value, format }) => (
                    <div key={key}><dt>{label}</dt><dd>{format(value(model.fineTuned!))}</dd></div>
                ))}
                <div><dt>Validation loss</dt><dd>{formatSignificant(model.fineTuned?.loss)}</dd></div>
            </dl>
            <Repredict version={model.version} changed={changed} />
        </section>
    );
}

function Repredict({ version, changed }: { version: string; changed: () => void }) {
    const [isOpen, setOpen] = useState(false);
    const [prefix, setPrefix] = useState('');
    const start = async (event: Event) => {
        event.preventDefault();
        setOpen(false);
        const query = prefix ? { prefix } : {};
        await attempt(
            () => call('post', '/api/models/{version}/repredict', { path: { version }, query }), 'The images are being read again.');
        changed();
    };
    return (
        <>
            <button type="button" onClick={() => setOpen(true)}>Read older answers again…</button>
            {isOpen && (
                <Dialog title="Read again what other models answered?" onClose={() => setOpen(false)}>
                    <form class="form" onSubmit={event => void start(event)}>
                        <p>{version} is asked about every image whose answer is of another model. Its answers replace those.</p>
                        <label class="field">
                            <span>Only names that begin with</span>
                            <input value={prefix} placeholder="all images" onInput={event => setPrefix(event.currentTarget.value)} />
                        </label>
                        <div class="actions">
                            <button type="button" onClick={() => setOpen(false)}>Cancel</button>
                            <button type="submit" class="primary">Read again</button>
                        </div>
                    </form>
                </Dialog>
            )}
        </>
    );
}

const mostCompared = 2;

function Versions({ models, compared }: { models: readonly Model[]; compared: readonly string[] }) {
    const toggle = (version: string, isChosen: boolean) => {
        const next = isChosen ? [...compared, version].slice(-mostCompared) : compared.filter(one => one !== version);
        setQuery({ compare: next.join(',') });
    };
    const number = (key: string, header: string, value: (model: Model) => number | undefined, format = formatSignificant): Column<Model> =>
        ({ key, header, isNumber: true, sort: value, cell: model => format(value(model)) });
    const columns: Column<Model>[] = [
        {
            key: 'compare', header: 'Compare', cell: model => (
                <input type="checkbox" aria-label={`Compare ${model.version}`} checked={compared.includes(model.version)}
                    onChange={event => toggle(model.version, event.currentTarget.checked)} />
            ),
        },
        {
            key: 'version', header: 'Version', sort: model => model.version, cell: model => (
                <>
                    <a href={link(model.version)}>{model.version}</a>{' '}
                    {model.serves && <span class="badge badge-good">serves</span>}
                    {!model.run && <span class="badge">base</span>}
                </>
            ),
        },
        { key: 'at', header: 'Completed', sort: model => model.completedAt, cell: model => <Time at={model.completedAt} /> },
        ...headlinesOf(models.map(model => model.fineTuned)).map(({ key, label, value, format }) =>
            number(key, label, model => model.fineTuned && value(model.fineTuned), format)),
        number('loss', 'Loss', model => model.fineTuned?.loss),
    ];
    const [a, b] = compared.map(version => models.find(model => model.version === version));
    return (
        <section class="stack" aria-label="Versions">
            <h2>Versions</h2>
            <Table caption="Versions of the model" columns={columns} rows={models} rowKey={model => model.version} />
            {a && b
                ? (
                    <MetricsTable caption={`${a.version} and ${b.version}`} compared={[0, 1]} columns={[
                        { label: a.version, metrics: a.fineTuned }, { label: b.version, metrics: b.fineTuned },
                    ]} />
                )
                : models.length > 1 && <p class="hint">Choose two versions to see how their figures differ.</p>}
            {a && b && a.dataset !== b.dataset && (
                <p class="warn-text small">They were measured on different data ({a.dataset ?? none} and {b.dataset ?? none}).</p>
            )}
        </section>
    );
}

function History({ changes }: { changes: readonly Change[] }) {
    if (changes.length === 0) return null;
    return (
        <section class="stack" aria-label="Changes of the serving model">
            <h2>Changes of the serving model</h2>
            <ol class="history card">
                {changes.map(change => (
                    <li key={change.at}>
                        <Time at={change.at} as="minute" />
                        <span class="break"><a href={link(change.version)}>{change.version}</a> {change.reason}</span>
                    </li>
                ))}
            </ol>
        </section>
    );
}

function Details({ version, models, changed }: { version: string; models: readonly Model[]; changed: () => void }) {
    const [isActivating, setActivating] = useState(false);
    const close = () => setQuery({ model: undefined });
    const model = models.find(model => model.version === version);
    if (!model) {
        return (
            <Dialog title={version} onClose={close}>
                <p>There is no such version. It may have been deleted from the container <code>models</code>.</p>
            </Dialog>
        );
    }
    return (
        <Dialog title={version} onClose={close} isWide actions={model.run && !model.serves && !isActivating && (
            <button type="button" class="primary" onClick={() => setActivating(true)}>Activate…</button>
        )}>
            {isActivating && <Activation version={version} cancel={() => setActivating(false)} done={() => {
                setActivating(false);
                changed();
            }} />}
            <dl class="facts">
                <dt>Completed</dt>
                <dd><Time at={model.completedAt} as="minute" />{model.serves && <> <span class="badge badge-good">serves</span></>}</dd>
                {model.run && <><dt>Run</dt><dd><a href={href('/runs/{run}', { run: model.run })}>{model.run}</a></dd></>}
                {model.baseModel && <><dt>Base model</dt><dd>{model.baseModel}</dd></>}
                {model.dataset && <><dt>Dataset</dt><dd>{model.dataset}</dd></>}
            </dl>
            {model.fineTuned && (
                <MetricsTable caption={`Figures of ${version}`} compared={[0, 1]} withBaseline columns={[
                    { label: 'Base', metrics: model.base }, { label: 'Fine-tuned', metrics: model.fineTuned },
                    ...(model.test ? [{ label: 'Test split', metrics: model.test }] : []),
                ]} />
            )}
            {model.card && (
                <details>
                    <summary>Model card</summary>
                    <Markdown text={model.card} />
                </details>
            )}
        </Dialog>
    );
}

function Activation({ version, cancel, done }: { version: string; cancel: () => void; done: () => void }) {
    const [reason, setReason] = useState('');
    const [error, setError] = useState<ApiError>();
    const submit = async (event: Event) => {
        event.preventDefault();
        setError(undefined);
        try {
            await call('post', '/api/models/{version}/activate', { path: { version }, body: { reason } });
            notify(`${version} serves now. The GPU worker loads it within its next look.`);
            done();
        } catch (e) {
            setError(toError(e));
        }
    };
    return (
        <form class="form card" ref={focusFirstField} onSubmit={event => void submit(event)}>
            <label class="field">
                <span>Why should {version} serve?</span>
                <input value={reason} required maxLength={1000} placeholder="such as: the prices of the newer model are wrong"
                    onInput={event => setReason(event.currentTarget.value)} />
                <span class="hint">The reason is kept in the history of the serving model.</span>
            </label>
            {error && <ErrorBox error={error} />}
            <div class="actions">
                <button type="submit" class="primary">Activate</button>
                <button type="button" onClick={cancel}>Cancel</button>
            </div>
        </form>
    );
}
