import { useEffect, useRef, useState } from 'preact/hooks';
import { apiUrl, call } from '../../api/client';
import { useApi, usePolled } from '../../api/polling';
import { ApiImage } from '../../components/ApiImage';
import { Share } from '../../components/Confidence';
import { Dialog } from '../../components/Dialog';
import { Empty } from '../../components/Empty';
import { Freshness } from '../../components/Freshness';
import { Loaded } from '../../components/Loaded';
import { Tabs } from '../../components/Tabs';
import { Time } from '../../components/Time';
import { attempt } from '../../components/Toasts';
import { View } from '../../components/View';
import { WindowedList } from '../../components/WindowedList';
import { type FieldValue, formatValue, known } from '../../format/fields';
import { formatInteger } from '../../format/format';
import { FileButton } from '../../shell/FileButton';
import { href, setQuery, type ViewProps } from '../../shell/router';
import { uploadsChanged } from '../../shell/uploads';
import { type Filter, isWaiting, type Kind, kinds, readUploads, statusOf, type Upload, usualThreshold } from './list';

const labels: Record<Kind, string> = {
    predicted: 'Answered', low: 'Low confidence', waiting: 'Waiting', rejected: 'Rejected', failed: 'Failed',
};

const isKind = (text: string | null): text is Kind => kinds.includes(text as Kind);

/** Uploaded images by the state of their reading. */
export default function Uploads({ query }: ViewProps) {
    const kind = query.get('show');
    const filter: Filter = {
        kind: isKind(kind) ? kind : 'predicted',
        prefix: query.get('prefix') ?? '',
        below: Number(query.get('below')) || usualThreshold,
    };
    const counts = useApi('/api/predictions/counts', { query: { prefix: filter.prefix, below: filter.below } }, 5000);
    const shown = counts.value.value;
    const number = (kind: Kind): number | undefined => kind === 'low' ? shown?.lowConfidence : shown?.[kind];
    const tabs = kinds.map(kind => {
        const count = number(kind);
        return {
            key: kind, label: labels[kind],
            count: count === undefined ? undefined : formatInteger(count) + (shown!.isComplete ? '' : '+'),
        };
    });
    return (
        <View title="Uploads" subtitle="Product images and what the model reads in them" actions={<FileButton prefix={filter.prefix} />}>
            <Toolbar filter={filter} />
            <Tabs label="State" tabs={tabs} selected={filter.kind}
                onSelect={show => setQuery({ show: show === 'predicted' ? undefined : show })}>
                <UploadList key={JSON.stringify(filter)} filter={filter} count={number(filter.kind)} />
            </Tabs>
        </View>
    );
}

function Toolbar({ filter }: { filter: Filter }) {
    const [prefix, setPrefix] = useState(filter.prefix);
    useEffect(() => {
        const timer = setTimeout(() => prefix !== filter.prefix && setQuery({ prefix }), 300);
        return () => clearTimeout(timer);
    }, [prefix]);
    return (
        <div class="toolbar" role="search">
            <input type="search" class="grow" placeholder="Names that begin with…" aria-label="Names that begin with" value={prefix}
                onInput={event => setPrefix(event.currentTarget.value)} />
            <label class="inline-field">
                Low is below
                <select value={String(filter.below)} onChange={event => setQuery({ below: event.currentTarget.value })}>
                    {[0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95].map(value => <option key={value} value={value}>{value * 100} %</option>)}
                </select>
            </label>
        </div>
    );
}

function UploadList({ filter, count }: { filter: Filter; count: number | undefined }) {
    const pages = useRef(1);
    const [isLoading, setLoading] = useState(false);
    const list = usePolled('uploads', abort => readUploads(filter, pages.current, abort), () => 5000 * pages.current);
    const value = list.value.value;
    const loadMore = async () => {
        pages.current++;
        setLoading(true);
        await list.refresh();
        setLoading(false);
    };
    // Of a long list, what others have changed can wait for its next turn.
    const changes = `${pages.current === 1 ? count : ''} ${uploadsChanged.value}`;
    useEffect(() => {
        if (value) void list.refresh();
    }, [changes]);
    if (!value) return <Loaded from={list}>{() => null}</Loaded>;
    if (value.uploads.length === 0) return <NoUploads filter={filter} />;
    return (
        <>
            <div class="list-head">
                <Freshness of={list} />
                {filter.kind !== 'waiting' && <ReadAgain filter={filter} count={count} />}
            </div>
            <WindowedList label={labels[filter.kind]} items={value.uploads} itemKey={upload => upload.image} itemHeight={68}>
                {upload => <UploadRow upload={upload} below={filter.below} />}
            </WindowedList>
            {value.hasMore && (
                <div class="more">
                    <button type="button" onClick={() => void loadMore()} disabled={isLoading}>
                        {isLoading ? 'Loading…' : 'Load more'}
                    </button>
                    <span class="muted small">{formatInteger(value.uploads.length)} shown</span>
                </div>
            )}
        </>
    );
}

function UploadRow({ upload, below }: { upload: Upload; below: number }) {
    const url = apiUrl('/api/images/{name}', { path: { name: upload.image }, query: { width: 96 } });
    return (
        <a class="upload" href={href('/uploads/{name}', { name: upload.image })}>
            <ApiImage class="thumb" alt="" url={`${url}#${upload.eTag}`} />
            <span class="upload-text">
                <span class="upload-answer"><Answer upload={upload} /></span>
                <span class="upload-name">{upload.image}</span>
            </span>
            <span class="upload-confidence">
                {!isWaiting(upload) && upload.confidence && (
                    <Share value={upload.confidence.answer} isLow={upload.confidence.answer < below} />
                )}
            </span>
            <span class="upload-time"><Time at={isWaiting(upload) ? upload.uploadedAt : upload.at} /></span>
        </a>
    );
}

function Answer({ upload }: { upload: Upload }) {
    if (isWaiting(upload)) return <><span class="badge">waiting</span><span class="cut">{upload.detail}</span></>;
    if (upload.status !== 'predicted') {
        return (
            <>
                <span class={upload.status === 'failed' ? 'badge badge-bad' : 'badge badge-warn'}>{upload.reason ?? upload.status}</span>
                <span class="cut">{upload.detail}</span>
            </>
        );
    }
    return (
        <>
            <strong class="cut">{upload.title ?? upload.answer}</strong>
            {upload.category && <span class="badge">{upload.category}</span>}
            {known<FieldValue>(upload).filter(([name]) => !['title', 'category'].includes(name)).map(([name, value]) => (
                <span key={name} class="upload-value">{formatValue(value)}</span>
            ))}
        </>
    );
}

function ReadAgain({ filter, count }: { filter: Filter; count: number | undefined }) {
    const [isAsking, setAsking] = useState(false);
    const { kind, prefix, below } = filter;
    const readAll = async () => {
        setAsking(false);
        const query = { status: statusOf(kind), ...(prefix && { prefix }), ...(kind === 'low' && { below }) };
        await attempt(
            () => call('post', '/api/predictions/{name}', { path: { name: 'retry' }, query }), 'The images are being read again.');
        uploadsChanged.value++;
    };
    const which = `${labels[kind].toLowerCase()}${prefix ? `, of names that begin with “${prefix}”` : ''}`;
    return (
        <>
            <button type="button" onClick={() => setAsking(true)}>{kind === 'failed' ? 'Retry all' : 'Read all again'}</button>
            {isAsking && (
                <Dialog title="Read these images again?" onClose={() => setAsking(false)} actions={(
                    <>
                        <button type="button" onClick={() => setAsking(false)}>Cancel</button>
                        <button type="button" class="primary" onClick={() => void readAll()}>Read again</button>
                    </>
                )}>
                    <p>
                        The serving model is asked about {count === undefined ? 'all images' : `${formatInteger(count)} images`} ({which}).
                        New answers replace those that are there.
                    </p>
                </Dialog>
            )}
        </>
    );
}

function NoUploads({ filter }: { filter: Filter }) {
    if (filter.prefix)
        return <Empty title={`No such image has a name that begins with “${filter.prefix}”.`}><p>Names are case-sensitive.</p></Empty>;
    switch (filter.kind) {
        case 'predicted': return (
            <Empty title="No image has been answered yet.">
                <p>
                    Drop an image anywhere on this page, or put one into the container <code>product-images</code>. A model must serve:{' '}
                    <a href={href('/models')}>models</a>.
                </p>
            </Empty>
        );
        case 'low': return (
            <Empty title={`No answer has a confidence below ${filter.below * 100} %.`}><p>Choose a higher limit to see more.</p></Empty>
        );
        case 'waiting': return <Empty title="No image waits to be read." />;
        case 'rejected': return <Empty title="No upload was rejected.">Files that are no usable images come here.</Empty>;
        case 'failed': return <Empty title="No reading has failed.">Images that the GPU worker never answered come here.</Empty>;
    }
}
