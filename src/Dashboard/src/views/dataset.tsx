import { useEffect, useRef, useState } from 'preact/hooks';
import { apiUrl } from '../api/client';
import { useApi } from '../api/polling';
import type { Schemas } from '../api/schema';
import { BarList } from '../charts/BarList';
import { Histogram } from '../charts/Histogram';
import { ApiImage } from '../components/ApiImage';
import { Empty } from '../components/Empty';
import { ErrorBox } from '../components/ErrorBox';
import { Loaded, Loading } from '../components/Loaded';
import { View } from '../components/View';
import { WindowedList } from '../components/WindowedList';
import { formatBytes, formatCount, formatDuration, formatInteger, formatNumber } from '../format/format';
import { href, setQuery, type ViewProps } from '../shell/router';
import { type DatasetPath, type Row, type RowFilter, useRows } from './dataset-rows';
import './runs.css';

type Report = Schemas['IngestReport'];

/** An ingested dataset: its rows by status and reason, and what its images and labels are like. */
export default function Dataset({ params, query }: ViewProps) {
    const path = params as unknown as DatasetPath;
    const report = useApi('/api/datasets/{owner}/{name}/{commit}/{view}', { path: { ...path } }, () => undefined);
    const repo = `${path.owner}/${path.name}`;
    const filter: RowFilter = {
        state: query.get('state') ?? undefined, reason: query.get('reason') ?? undefined, split: query.get('split') ?? undefined,
    };
    return (
        <View title={repo} parent={{ label: 'Datasets', href: href('/datasets') }}
            subtitle={<>commit <code>{path.commit.slice(0, 12)}</code>, settings <code>{path.view}</code></>}
            actions={<a class="button" href={href('/new-run', {}, { dataset: repo })}>New run on this dataset</a>}>
            <Loaded from={report}>{value => (
                <div class="stack">
                    <Summary report={value} filter={filter} />
                    <Charts report={value} />
                    <Catalog path={path} />
                </div>
            )}
            </Loaded>
            <Rows path={path} filter={filter} />
        </View>
    );
}

function Summary({ report: { counts, splits, seconds }, filter }: { report: Report; filter: RowFilter }) {
    const states = [
        { label: 'stored', count: counts.stored }, { label: 'duplicate', count: counts.duplicates },
        { label: 'rejected', count: counts.rejected },
    ];
    const reasons = Object.entries(counts.rejectedBy).map(([label, count]) => ({ label, count })).sort((a, b) => b.count - a.count);
    const select = (name: 'state' | 'reason' | 'split', value: string) =>
        setQuery({
            // A reason belongs to the rejected rows.
            ...(name === 'state' && { reason: undefined }), ...(name === 'reason' && { state: undefined }),
            [name]: filter[name] === value ? undefined : value,
        });
    return (
        <div class="grid">
            <section class="card" aria-labelledby="states">
                <h2 id="states">{formatCount(counts.rows, 'row')}</h2>
                <BarList items={states} total={counts.rows} selected={filter.state} onSelect={state => select('state', state)} />
                <p class="hint">{formatBytes(counts.bytes)} of images, ingested in {formatDuration(seconds)}</p>
            </section>
            {reasons.length > 0 && (
                <section class="card" aria-labelledby="reasons">
                    <h2 id="reasons">Rejected because</h2>
                    <BarList items={reasons} selected={filter.reason} onSelect={reason => select('reason', reason)} />
                </section>
            )}
            <section class="card" aria-labelledby="splits">
                <h2 id="splits">Usable samples</h2>
                <BarList items={Object.entries(splits).map(([label, count]) => ({ label, count }))} selected={filter.split}
                    onSelect={split => select('split', split)} />
            </section>
        </div>
    );
}

const categoriesAtFirst = 12;

function Charts({ report: { categories, categoryCount, prices, longerSides, fileSizes } }: { report: Report }) {
    const [isLong, setLong] = useState(false);
    const list = Object.entries(categories).map(([label, count]) => ({ label, count })).sort((a, b) => b.count - a.count);
    return (
        <div class="dataset-charts">
            {list.length > 0 && (
                <section class="card" aria-labelledby="categories">
                    <h2 id="categories">{formatCount(categoryCount, 'category', 'categories')}</h2>
                    <BarList items={isLong ? list : list.slice(0, categoriesAtFirst)} />
                    {list.length > categoriesAtFirst && (
                        <button type="button" class="quiet" onClick={() => setLong(!isLong)}>
                            {isLong ? 'Show fewer' : `Show ${formatInteger(list.length)}`}
                        </button>
                    )}
                </section>
            )}
            <div class="grid">
                {prices && <div class="card"><Histogram title="Prices" {...prices} format={formatNumber} /></div>}
                {longerSides && <div class="card"><Histogram title="Longer sides, pixels" {...longerSides} format={formatInteger} /></div>}
                {fileSizes && <div class="card"><Histogram title="File sizes" {...fileSizes} format={formatBytes} /></div>}
            </div>
        </div>
    );
}

// Storage is not open to the page: the names lead whoever has access to it.
function Catalog({ path: { owner, name, commit, view } }: { path: DatasetPath }) {
    const folder = `datasets/${owner}--${name}/${commit}/${view}`;
    return (
        <p class="hint break">
            Every row with its status, as a table: <code>{folder}/catalog.csv</code> and <code>catalog.parquet</code> in the storage
            account.
        </p>
    );
}

const rowHeight = 76;

function Rows({ path, filter }: { path: DatasetPath; filter: RowFilter }) {
    const { rows, isComplete, error, more } = useRows(path, filter);
    const end = useRef<HTMLDivElement>(null);
    const latest = useRef(more);
    latest.current = more;
    useEffect(() => {
        const observer = new IntersectionObserver(
            changes => { if (changes.some(change => change.isIntersecting)) latest.current(); }, { rootMargin: '600px' });
        observer.observe(end.current!);
        return () => observer.disconnect();
        // Observed anew after every page: an end that stays in sight reports no change.
    }, [rows]);
    const filters = [filter.state, filter.reason, filter.split].filter(one => one !== undefined);
    return (
        <section class="dataset-rows" aria-labelledby="rows">
            <div class="toolbar">
                <h2 id="rows">Rows{filters.length > 0 && `: ${filters.join(', ')}`}</h2>
                {filters.length > 0 && (
                    <button type="button" class="quiet" onClick={() => setQuery({ state: undefined, reason: undefined, split: undefined })}>
                        Show all
                    </button>
                )}
            </div>
            {rows.length > 0 && (
                <WindowedList label="Rows" items={rows} itemKey={row => `${row.sourceSplit}-${row.row}`} itemHeight={rowHeight}>
                    {row => <RowLine path={path} row={row} />}
                </WindowedList>
            )}
            {isComplete && rows.length === 0 && <Empty title="No row is like this." />}
            {error && <ErrorBox error={error} retry={more} />}
            <div ref={end}>{!isComplete && !error && <Loading />}</div>
        </section>
    );
}

const moods = { stored: 'good', duplicate: 'warn', rejected: 'bad' } as const;

function RowLine({ path: { owner, name }, row }: { path: DatasetPath; row: Row }) {
    const { sha256 } = row;
    return (
        <div class="dataset-row">
            {sha256 === undefined ? <span class="image thumb" /> : (
                <ApiImage class="thumb" alt=""
                    url={apiUrl('/api/datasets/{owner}/{name}/images/{sha256}', { path: { owner, name, sha256 }, query: { width: 96 } })} />
            )}
            <div class="dataset-row-text">
                <p class="cut">
                    <span class={`badge badge-${moods[row.state]}`}>{row.reason ?? row.state}</span>{' '}
                    <strong>{row.title ?? row.product ?? `row ${row.row}`}</strong>
                    {row.category !== undefined && <span class="muted"> {row.category}</span>}
                    {row.price !== undefined && <span class="muted"> {formatNumber(row.price)}</span>}
                </p>
                <p class="cut small">
                    {row.detail ? <span class="bad-text">{row.detail} </span> : null}
                    {row.imageUrl && (
                        /^https?:/.test(row.imageUrl)
                            ? <a href={row.imageUrl} target="_blank" rel="noreferrer noopener" title={row.imageUrl}>{row.imageUrl}</a>
                            : <span class="muted">{row.imageUrl}</span>
                    )}
                </p>
                <p class="cut small muted">
                    {row.sourceSplit} {formatInteger(row.row)}{row.split !== row.sourceSplit && `, used in ${row.split}`}
                    {row.width ? `, ${row.width} × ${row.height}, ${formatBytes(row.bytes)}` : ''}
                </p>
            </div>
        </div>
    );
}

