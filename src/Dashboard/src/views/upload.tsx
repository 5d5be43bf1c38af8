import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { apiUrl, call, get, orNull } from '../api/client';
import { type ApiError, toError } from '../api/errors';
import { useApi, usePolled } from '../api/polling';
import type { Schemas } from '../api/schema';
import { ApiImage } from '../components/ApiImage';
import { Dialog } from '../components/Dialog';
import { ErrorBox } from '../components/ErrorBox';
import { FieldFacts } from '../components/FieldFacts';
import { focusFirstField } from '../components/focus';
import { Freshness } from '../components/Freshness';
import { Loaded } from '../components/Loaded';
import { Time } from '../components/Time';
import { attempt, notify } from '../components/Toasts';
import { View } from '../components/View';
import { editedValue, type FieldKind, kindOf, labelOf, namesOf, parseValue, toLabels, valueOf } from '../format/fields';
import { formatDuration, formatNumber, none } from '../format/format';
import { href, navigate, type ViewProps } from '../shell/router';
import { Course } from './course';
import { AnswerCard } from './offer';
import { isWaiting, type Upload } from './uploads/list';

/** An uploaded image: the answer to it, how that came about, and what can be done. */
export default function UploadView({ params }: ViewProps) {
    const name = params['name']!;
    // Time of the answer that a new one is about to replace.
    const replaced = useRef<string>(undefined);
    const upload = useApi(
        '/api/predictions/{name}', { path: { name } },
        upload => isWaiting(upload) || upload.at === replaced.current ? 2000 : 15_000);
    const correction = usePolled(
        `correction ${name}`, abort => orNull(get('/api/predictions/{name}/correction', { path: { name } }, abort)), 30_000);
    const refresh = () => {
        void upload.refresh();
        void correction.refresh();
    };
    return (
        <View title={name} parent={{ label: 'Uploads', href: href('/uploads') }} subtitle={<Freshness of={upload} />}
            actions={upload.value.value && (
                <Actions upload={upload.value.value} changed={refresh} asked={at => { replaced.current = at; }} />
            )}>
            <Loaded from={upload}>{value => (
                <div class="upload-view">
                    <ApiImage class="upload-image card" alt={name}
                        url={`${apiUrl('/api/images/{name}', { path: { name } })}#${value.eTag}`} />
                    <div class="stack">
                        <section class="card stack" aria-label="Answer">
                            <h2>Answer</h2>
                            {isWaiting(value)
                                ? <p><span class="badge">waiting</span> {value.detail}</p>
                                : <AnswerCard answer={value} />}
                        </section>
                        {!isWaiting(value) && value.status === 'predicted' && (
                            <CorrectionForm key={`${value.eTag} ${value.at} ${correction.value.value?.at}`} document={value}
                                correction={correction.value.value} changed={refresh} />
                        )}
                        <Facts upload={value} />
                        <History name={name} etag={value.eTag} isOver={!isWaiting(value)} />
                    </div>
                </div>
            )}
            </Loaded>
        </View>
    );
}

function Actions({ upload, changed, asked }: { upload: Upload; changed: () => void; asked: (at: string) => void }) {
    const [isDeleting, setDeleting] = useState(false);
    const name = upload.image;
    const retry = async () => {
        await attempt(
            () => call('post', '/api/predictions/{name}', { path: { name: `${name}/retry` } }),
            isWaiting(upload) ? 'The worker is asked at once.' : 'The image is being read again.');
        if (!isWaiting(upload)) asked(upload.at);
        changed();
    };
    const remove = async () => {
        setDeleting(false);
        const isDone = await attempt(
            () => call('delete', '/api/images/{name}', { path: { name }, header: { 'If-Match': upload.eTag } }), `${name} was deleted.`);
        if (isDone) navigate(href('/uploads'));
    };
    return (
        <>
            <button type="button" onClick={() => void retry()}>{isWaiting(upload) ? 'Ask now' : 'Read again'}</button>
            <button type="button" class="danger" onClick={() => setDeleting(true)}>Delete…</button>
            {isDeleting && (
                <Dialog title="Delete this image?" onClose={() => setDeleting(false)} actions={(
                    <>
                        <button type="button" onClick={() => setDeleting(false)}>Cancel</button>
                        <button type="button" class="danger" onClick={() => void remove()}>Delete</button>
                    </>
                )}>
                    <p class="break">
                        <strong>{name}</strong> is deleted from storage. Its document stays until another image of this name is read.
                    </p>
                </Dialog>
            )}
        </>
    );
}

function Facts({ upload }: { upload: Upload }) {
    const facts: [string, ComponentChildren][] = isWaiting(upload)
        ? [['Uploaded', <Time key="at" at={upload.uploadedAt} as="minute" />], ['Version', <code key="etag">{upload.eTag}</code>]]
        : [
            ['Model', upload.model ? <a key="model" href={href('/models', {}, { model: upload.model })}>{upload.model}</a> : none],
            ['Answered', <Time key="at" at={upload.at} as="minute" />],
            ['Worker took', formatDuration(upload.seconds)],
            ['Waited before', formatDuration(upload.queueSeconds)],
            ['Tries', formatNumber(upload.tries)],
            ['Version', <code key="etag">{upload.eTag}</code>],
        ];
    return (
        <section class="card stack" aria-label="Details">
            <h2>Details</h2>
            <dl class="facts">{facts.map(([label, value]) => <><dt>{label}</dt><dd>{value}</dd></>)}</dl>
        </section>
    );
}

interface CorrectionProps {
    document: Schemas['PredictionDocument'];
    correction: Schemas['Correction'] | null | undefined;
    changed: () => void;
}

function CorrectionForm({ document, correction, changed }: CorrectionProps) {
    // A correction of an older version of the image says nothing about this one.
    const current = correction?.eTag === document.eTag ? correction : undefined;
    const [isOpen, setOpen] = useState(false);
    const [error, setError] = useState<ApiError>();
    const known = current ?? document;
    const fields = namesOf(document, document.confidence, current).map(name =>
        ({ name, kind: kindOf(name, valueOf(document, name) ?? valueOf(known, name)) }));
    const [texts, setTexts] = useState(() => Object.fromEntries(fields.map(({ name }) => [name, editedValue(valueOf(known, name))])));
    const submit = async (event: Event) => {
        event.preventDefault();
        setError(undefined);
        try {
            await call('put', '/api/predictions/{name}/correction', {
                path: { name: document.image },
                header: { 'If-Match': document.eTag },
                body: toLabels(fields.flatMap(({ name, kind }) => {
                    const value = parseValue(kind, texts[name]!);
                    return value === undefined ? [] : [[name, value] as const];
                })) as Schemas['CorrectionRequest'],
            });
            notify('The correction is stored. Runs with “includeCorrections” learn from it.');
            setOpen(false);
            changed();
        } catch (e) {
            setError(toError(e));
        }
    };
    const withdraw = async () => {
        await attempt(
            () => call('delete', '/api/predictions/{name}/correction', { path: { name: document.image } }), 'The correction is withdrawn.');
        changed();
    };
    return (
        <section class="card stack" aria-label="Correction">
            <div class="section-head">
                <h2>Correction</h2>
                {!isOpen && (
                    <div class="actions">
                        {current && <button type="button" onClick={() => void withdraw()}>Withdraw</button>}
                        <button type="button" onClick={() => setOpen(true)}>{current ? 'Change' : 'Correct the answer'}</button>
                    </div>
                )}
            </div>
            {current && !isOpen && (
                <>
                    <FieldFacts of={current} />
                    <p class="muted small">given <Time at={current.at} /></p>
                </>
            )}
            {!current && !isOpen && <p class="muted">{correction
                ? 'There is a correction of an earlier version of this image.'
                : 'Is the answer wrong? A corrected one is what later runs can learn from.'}
            </p>}
            {isOpen && (
                <form class="form" ref={focusFirstField} onSubmit={event => void submit(event)}>
                    {fields.map(({ name, kind }) => (
                        <FieldInput key={name} label={labelOf(name)} kind={kind} value={texts[name]!}
                            error={error?.in(name) ?? error?.in(`fields.${name}`)}
                            set={text => setTexts(before => ({ ...before, [name]: text }))} />
                    ))}
                    {error && <ErrorBox error={error} />}
                    <div class="actions">
                        <button type="submit" class="primary">Store the correction</button>
                        <button type="button" onClick={() => setOpen(false)}>Cancel</button>
                    </div>
                </form>
            )}
        </section>
    );
}

interface InputProps {
    label: string;
    kind: FieldKind;
    value: string;
    set: (value: string) => void;
    error: string | undefined;
}

function FieldInput({ label, kind, value, set, error }: InputProps) {
    const common = {
        value, 'aria-invalid': error !== undefined,
        onInput: (event: { currentTarget: HTMLInputElement }) => set(event.currentTarget.value),
    };
    return (
        <label class="field">
            <span>{label}</span>
            {kind === 'number' ? <input type="number" min={0} step="any" {...common} /> : <input {...common} />}
            {kind === 'list' && <span class="hint">separated by semicolons</span>}
            {error && <span class="field-error">{error}</span>}
        </label>
    );
}

function History({ name, etag, isOver }: { name: string; etag: string; isOver: boolean }) {
    // Histories of ended readings are purged after some time.
    const timeline = usePolled(
        `timeline ${name} ${etag} ${isOver}`, abort => orNull(get('/api/predictions/{name}/timeline', { path: { name } }, abort)),
        timeline => timeline === null || timeline.endedAt ? undefined : 2000);
    return (
        <section class="card stack" aria-label="History">
            <h2>History</h2>
            <Loaded from={timeline}>{value => value === null
                ? <p class="muted">The history of this reading has been purged.</p>
                : <Course timeline={value} />}
            </Loaded>
        </section>
    );
}
