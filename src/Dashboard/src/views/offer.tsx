import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { call } from '../api/client';
import { type ApiError, isAbort, toError } from '../api/errors';
import { ask } from '../api/predict';
import type { Schemas } from '../api/schema';
import { ConfidenceBars } from '../components/Confidence';
import { FieldFacts } from '../components/FieldFacts';
import { Dialog } from '../components/Dialog';
import { ErrorBox } from '../components/ErrorBox';
import { focusFirstField } from '../components/focus';
import { Progress } from '../components/Progress';
import { notify } from '../components/Toasts';
import { formatBytes, formatCount, formatDuration } from '../format/format';
import { href, navigate } from '../shell/router';
import { offered, uploadsChanged } from '../shell/uploads';
import { usualThreshold } from './uploads/list';
import { wayOut } from './uploads/reasons';

const close = (): void => { offered.value = null; };

/** Dialog about images that were dropped, pasted or chosen: ask the model about one, or upload them. */
export default function Offer() {
    const { files, prefix } = offered.value!;
    return files.length === 1 ? <One key={files[0]!.name} file={files[0]!} prefix={prefix} /> : <Many files={files} prefix={prefix} />;
}

function One({ file, prefix }: { file: File; prefix: string }) {
    const url = useMemo(() => URL.createObjectURL(file), [file]);
    useEffect(() => () => URL.revokeObjectURL(url), [url]);
    const [isUpload, setUpload] = useState(false);
    return (
        <Dialog title={file.name || 'Image'} onClose={close} isWide>
            <div class="offer">
                <span class="image offer-image"><img src={url} alt="Chosen" /></span>
                <div class="stack">
                    <p class="muted small">{formatBytes(file.size)}{file.type && `, ${file.type}`}</p>
                    {isUpload ? <UploadOne file={file} prefix={prefix} /> : <Ask file={file} upload={() => setUpload(true)} />}
                </div>
            </div>
        </Dialog>
    );
}

function Ask({ file, upload }: { file: File; upload: () => void }) {
    const text = useSignal('');
    const answer = useSignal<Schemas['Prediction'] | undefined>(undefined);
    const error = useSignal<ApiError | undefined>(undefined);
    const [asking, setAsking] = useState<AbortController>();
    useEffect(() => () => asking?.abort(), [asking]);
    const start = async () => {
        const controller = new AbortController();
        setAsking(controller);
        text.value = '';
        answer.value = error.value = undefined;
        try {
            answer.value = await ask(file, now => { text.value = now; }, controller.signal);
        } catch (e) {
            if (!isAbort(e)) error.value = toError(e);
        } finally {
            setAsking(undefined);
        }
    };
    return (
        <>
            <div class="actions">
                <button type="button" class="primary" onClick={() => void start()} disabled={asking !== undefined}>
                    {asking ? 'The model is reading…' : answer.value || error.value ? 'Ask again' : 'Ask the model'}
                </button>
                <button type="button" onClick={upload}>Upload it…</button>
            </div>
            {!answer.value && !error.value && !asking && (
                <p class="hint">Asking stores nothing. An uploaded image is kept, and its answer with it.</p>
            )}
            {asking && !text.value && <Progress label="The model is reading the image" />}
            {text.value && !answer.value && <p class="answer-text" aria-busy="true">{text.value}</p>}
            {error.value && <ErrorBox error={error.value} />}
            {answer.value && <div role="status"><AnswerCard answer={answer.value} /></div>}
        </>
    );
}

/** What the model answered, or why it did not. */
export function AnswerCard({ answer }: { answer: Schemas['Prediction'] }) {
    if (answer.status !== 'predicted') {
        return (
            <div class={answer.status === 'failed' ? 'box box-bad' : 'box box-warn'}>
                <p>
                    <strong>{answer.status === 'failed' ? 'The reading failed' : 'The image was rejected'}</strong>{' '}
                    <code>{answer.reason}</code>
                </p>
                {answer.detail && <p class="break">{answer.detail}</p>}
                {wayOut(answer.reason) && <p>{wayOut(answer.reason)}</p>}
            </div>
        );
    }
    return (
        <div class="stack">
            <FieldFacts of={answer} class="answer-facts" />
            {answer.answer && <p class="answer-text small">{answer.answer}</p>}
            {answer.confidence && (
                <section aria-label="Confidence">
                    <h3>Confidence</h3>
                    <ConfidenceBars confidence={answer.confidence} below={usualThreshold} />
                </section>
            )}
            <p class="muted small">
                {answer.model && <>by <a href={href('/models', {}, { model: answer.model })}>{answer.model}</a> in </>}
                {formatDuration(answer.seconds)}
            </p>
        </div>
    );
}

async function uploadFile(file: File, name: string, mayReplace: boolean): Promise<void> {
    await call('put', '/api/images/{name}', {
        path: { name },
        // Otherwise an image of this name would be lost.
        header: mayReplace ? {} : { 'If-None-Match': '*' },
        body: file,
    });
    uploadsChanged.value++;
}

const nameIn = (prefix: string, file: File): string =>
    `${prefix && !prefix.endsWith('/') ? prefix.slice(0, prefix.lastIndexOf('/') + 1) : prefix}${file.name || 'pasted.png'}`;

const isTaken = (error: ApiError): boolean => error.status === 412;

function UploadOne({ file, prefix }: { file: File; prefix: string }) {
    const [name, setName] = useState(nameIn(prefix, file));
    const [mayReplace, setReplace] = useState(false);
    const [isBusy, setBusy] = useState(false);
    const [error, setError] = useState<ApiError>();
    const submit = async (event: Event) => {
        event.preventDefault();
        setBusy(true);
        setError(undefined);
        try {
            await uploadFile(file, name, mayReplace);
            notify(`${name} was uploaded.`);
            close();
            navigate(href('/uploads/{name}', { name }));
        } catch (e) {
            setError(toError(e));
        } finally {
            setBusy(false);
        }
    };
    return (
        <form class="form" ref={focusFirstField} onSubmit={event => void submit(event)}>
            <label class="field">
                <span>Name</span>
                <input value={name} required onInput={event => setName(event.currentTarget.value)} aria-describedby="name-hint" />
                <span class="hint" id="name-hint">Folders end with a slash: spring/coats/a.jpg</span>
            </label>
            {error && !isTaken(error) && <ErrorBox error={error} />}
            {error && isTaken(error) && (
                <div class="box box-warn" role="alert">
                    There is an image of this name. Choose another, or replace it together with its answer.
                </div>
            )}
            {(mayReplace || (error && isTaken(error))) && (
                <label class="check">
                    <input type="checkbox" checked={mayReplace} onChange={event => setReplace(event.currentTarget.checked)} />
                    Replace the image that is there
                </label>
            )}
            <div class="actions">
                <button type="submit" class="primary" disabled={isBusy}>{isBusy ? 'Uploading…' : 'Upload'}</button>
                <button type="button" onClick={close}>Cancel</button>
            </div>
        </form>
    );
}

type State = 'ready' | 'uploading' | 'done' | 'taken' | ApiError;
const atOnce = 3;

function Many({ files, prefix }: { files: readonly File[]; prefix: string }) {
    const [folder, setFolder] = useState(prefix.slice(0, prefix.lastIndexOf('/') + 1));
    const states = useSignal<readonly State[]>(files.map(() => 'ready'));
    const [isBusy, setBusy] = useState(false);
    const name = (file: File) => nameIn(folder && !folder.endsWith('/') ? `${folder}/` : folder, file);
    const set = (i: number, state: State) => { states.value = states.value.with(i, state); };
    const start = async (mayReplace: boolean) => {
        setBusy(true);
        const waiting = files.map((_, i) => i).filter(i => states.value[i] !== 'done' && (mayReplace || states.value[i] !== 'taken'));
        const next = async () => {
            for (let i = waiting.shift(); i !== undefined; i = waiting.shift()) {
                set(i, 'uploading');
                try {
                    await uploadFile(files[i]!, name(files[i]!), mayReplace);
                    set(i, 'done');
                } catch (e) {
                    const error = toError(e);
                    set(i, isTaken(error) ? 'taken' : error);
                }
            }
        };
        await Promise.all(Array.from({ length: atOnce }, next));
        setBusy(false);
    };
    const count = (state: State) => states.value.filter(one => one === state).length;
    const [done, taken] = [count('done'), count('taken')];
    const isStarted = states.value.some(state => state !== 'ready');
    return (
        <Dialog title={`Upload ${formatCount(files.length, 'image')}`} onClose={close} actions={(
            <>
                <button type="button" onClick={close}>{done === files.length ? 'Close' : 'Cancel'}</button>
                {taken > 0 && !isBusy && (
                    <button type="button" class="danger" onClick={() => void start(true)}>Replace {formatCount(taken, 'image')}</button>
                )}
                {done + taken < files.length && (
                    <button type="button" class="primary" disabled={isBusy} onClick={() => void start(false)}>
                        {isBusy ? 'Uploading…' : isStarted ? 'Try the others again' : 'Upload'}
                    </button>
                )}
            </>
        )}>
            <label class="field">
                <span>Folder</span>
                <input value={folder} disabled={isStarted} placeholder="none" onInput={event => setFolder(event.currentTarget.value)} />
            </label>
            {isStarted && <Progress value={done / files.length} label="Uploaded images" />}
            <p role="status" class="muted small">
                {isStarted ? `${done} of ${files.length} uploaded` : 'Nothing is replaced.'}
                {taken > 0 && `, ${taken} of names that are taken`}
            </p>
            <ul class="file-list">
                {files.map((file, i) => (
                    <li key={i}>
                        <span class="break">{name(file)}</span>
                        <FileState state={states.value[i]!} size={file.size} />
                    </li>
                ))}
            </ul>
        </Dialog>
    );
}

function FileState({ state, size }: { state: State; size: number }) {
    switch (state) {
        case 'ready': return <span class="muted">{formatBytes(size)}</span>;
        case 'uploading': return <span class="muted">uploading…</span>;
        case 'done': return <span class="good-text">uploaded</span>;
        case 'taken': return <span class="warn-text">name is taken</span>;
        default: return <span class="bad-text">{state.message}</span>;
    }
}
