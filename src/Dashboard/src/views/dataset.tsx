import { useEffect, useRef, useState } from 'preact/hooks';
import { useApi } from '../api/polling';
import type { Schemas } from '../api/schema';
import { BarList } from '../charts/BarList';
import { Histogram } from '../charts/Histogram';
import { Empty } from '../components/Empty';
import { ErrorBox } from '../components/ErrorBox';
import { Loaded, Loading } from '../components/Loaded';
import { View } from '../components/View';
import { WindowedList } from '../components/WindowedList';
import { type FieldValue, formatValue, known, labelOf } from '../format/fields';
import { formatBytes, formatCount, formatDuration, formatInteger } from '../format/format';
import { href, setQuery, type ViewProps } from '../shell/router';
import { DatasetImage } from './dataset-image';
import { Quality } from './dataset-quality';
import { RetryButton, RetryProgress } from './dataset-retry';
import { type DatasetPath, type Row, type RowFilter, useRows } from './dataset-rows';
import './runs.css';

type Report = Schemas['IngestReport'];
type Summed = Pick<Schemas['FieldSummary'], 'unit' | 'values' | 'valueCount' | 'numbers'>;

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
            actions={(
                <a class="button" href={href('/new-run', {}, { dataset: repo, commit: path.commit, view: path.view })}>
                    New run on this dataset
                </a>
            )}>
            <Loaded from={report}>{value => (
                <div class="stack">
                    {query.get('retry') && <RetryProgress instance={query.get('retry')!} repo={repo} />}
                    <Summary path={path} report={value} filter={filter} />
                    <Quality path={path} warnings={value.warnings ?? []} />
                    <Charts report={value} />
                    <Catalog path={path} parts={value.catalogParts} />
                </div>
            )}
            </Loaded>
            <Rows path={path} filter={filter} />
        </View>
    );
}

function Summary({ path, report: { counts, splits, seconds, retry }, filter }: { path: DatasetPath; report: Report; filter: RowFilter }) {
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
                    <RetryButton path={path} rejectedBy={counts.rejectedBy} />
                </section>
            )}
            <section class="card" aria-labelledby="splits">
                <h2 id="splits">Usable samples</h2>
                <BarList items={Object.entries(splits).map(([label, count]) => ({ label, count }))} selected={filter.split}
                    onSelect={split => select('split', split)} />
            </section>
            {retry && <Retried path={path} retry={retry} />}
        </div>
    );
}

/** What a second try of an earlier view's rejected rows has brought. */
function Retried({ path, retry: { view, reasons, rows, healed } }: { path: DatasetPath; retry: Schemas['RetriedRows'] }) {
    const items = reasons.map(label => ({ label, count: healed[label] ?? 0 }));
    return (
        <section class="card" aria-labelledby="healed">
            <h2 id="healed">Healed by a second try</h2>
            <BarList items={items} total={rows} />
            <p class="hint">
                {formatCount(rows, 'rejected row')} of{' '}
                <a href={href('/datasets/{owner}/{name}/{commit}/{view}', { ...path, view })}>{view}</a> were read again.
            </p>
        </section>
    );
}

const valuesAtFirst = 12;

/** Values of fields, those of category and price from their own members. */
const summariesOf = ({ categories, categoryCount, prices, fields }: Report): [string, Summed][] => [
    ...(categoryCount > 0 ? [['category', { values: categories, valueCount: categoryCount }] as [string, Summed]] : []),
    ...(prices ? [['price', { numbers: prices }] as [string, Summed]] : []),
    ...Object.entries(fields ?? {}),
];

function Charts({ report }: { report: Report }) {
    const { longerSides, fileSizes } = report;
    const summaries = summariesOf(report);
    return (
        <div class="dataset-charts">
            {summaries.map(([name, summary]) => summary.values && <Values key={name} name={name} {...summary} values={summary.values} />)}
            <div class="grid">
                {summaries.map(([name, { numbers, unit }]) => numbers && (
                    <div key={name} class="card">
                        <Histogram title={labelOf(name) + (unit ? `, ${unit}` : '')} {...numbers} format={value => formatValue(value)} />
                    </div>
                ))}
                {longerSides && <div class="card"><Histogram title="Longer sides, pixels" {...longerSides} format={formatInteger} /></div>}
                {fileSizes && <div class="card"><Histogram title="File sizes" {...fileSizes} format={formatBytes} /></div>}
            </div>
        </div>
    );
}

/** Samples by value of a field, the most frequent ones first. */
function Values({ name, values, valueCount }: Summed & { name: string; values: Readonly<Record<string, number>> }) {
    const [isLong, setLong] = useState(false);
    const list = Object.entries(values).map(([label, count]) => ({ label, count })).sort((a, b) => b.count - a.count);
    return (
        <section class="card" aria-label={labelOf(name)}>
            <h2>{labelOf(name)}: {formatCount(valueCount ?? list.length, 'value')}</h2>
            <BarList items={isLong ? list : list.slice(0, valuesAtFirst)} />
            {list.length > valuesAtFirst && (
                <button type="button" class="quiet" onClick={() => setLong(!isLong)}>
                    {isLong ? 'Show fewer' : `Show ${formatInteger(list.length)}`}
                </button>
            )}
        </section>
    );
}

// Storage is not open to the page: the names lead whoever has access to it.
function Catalog({ path: { owner, name, commit, view }, parts }: { path: DatasetPath; parts: number | undefined }) {
    const file = `datasets/${owner}--${name}/${commit}/${view}/${parts ? 'catalog/part-00000' : 'catalog'}`;
    return (
        <p class="hint break">
            Every row with its status, as a table: <code>{file}.csv</code> and <code>.parquet</code> in the storage account
            {parts && `, the first of ${parts} parts`}.
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

/** Thumbnails of a product's further images; the others are a number. */
const moreShown = 3;

function RowLine({ path, row }: { path: DatasetPath; row: Row }) {
    const { sha256, moreImages = [] } = row;
    return (
        <div class="dataset-row">
            {sha256 === undefined ? <span class="image thumb" /> : <DatasetImage class="thumb" path={path} sha256={sha256} />}
            {moreImages.slice(0, moreShown).map(({ sha256 }) => <DatasetImage key={sha256} class="thumb" path={path} sha256={sha256} />)}
            {moreImages.length > moreShown && <span class="muted small nowrap">+{moreImages.length - moreShown}</span>}
            <div class="dataset-row-text">
                <p class="cut">
                    <span class={`badge badge-${moods[row.state]}`}>{row.reason ?? row.state}</span>{' '}
                    <strong>{row.title ?? row.product ?? `row ${row.row}`}</strong>
                    {known<FieldValue>(row).filter(([name]) => name !== 'title').map(([name, value]) => (
                        <span key={name} class="muted" title={labelOf(name)}> {formatValue(value)}</span>
                    ))}
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
                    {row.mergedInto && `, in the sample of ${row.mergedInto}`}
                    {row.width ? `, ${row.width} × ${row.height}, ${formatBytes(row.bytes)}` : ''}
                </p>
            </div>
        </div>
    );
}

