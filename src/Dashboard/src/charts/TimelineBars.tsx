import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { coveredTime, lanesOf, timeTicks, type Lane, type Span } from './lanes';
import './charts.css';

interface Props {
    /** In the order of their beginnings. */
    spans: readonly Span[];
    /** Beginning and end of the axis, in milliseconds since 1970. */
    from: number;
    to: number;
    duration: (milliseconds: number) => string;
    /** Renders the timeline of a sub-orchestration when it is opened. */
    renderInstance: (instance: string) => ComponentChildren;
}

const rowHeight = 16;
// A lane with more calls at a time is drawn only in part; its numbers are complete.
const rowLimit = 12;

/**
 * Activities as bars on a time axis. Waiting is drawn thin and hatched, a retry has its number, a failure a cross and its text below.
 */
export function TimelineBars({ spans, from, to, duration, renderInstance }: Props) {
    const whole = Math.max(to - from, 1);
    return (
        <div class="timeline">
            <div class="timeline-lane timeline-axis" aria-hidden="true">
                <span />
                <svg height="18">
                    {timeTicks(whole).map(tick => (
                        <text key={tick} x={`${(100 * tick) / whole}%`} y="13" text-anchor={tick === 0 ? 'start' : 'middle'}>
                            {tick === 0 ? '0' : duration(tick).replace(/ 0+ \w+$/, '')}
                        </text>
                    ))}
                </svg>
            </div>
            <ul>
                {lanesOf(spans).map(lane => (
                    <TimelineLane key={lane.key} lane={lane} from={from} to={to} duration={duration} renderInstance={renderInstance} />
                ))}
            </ul>
        </div>
    );
}

function TimelineLane({ lane, from, to, duration, renderInstance }: Omit<Props, 'spans'> & { lane: Lane }) {
    const [open, setOpen] = useState(false);
    const whole = Math.max(to - from, 1);
    const rows = lane.rows.slice(0, rowLimit);
    const failures = lane.spans.filter(span => span.error !== undefined);
    const retries = lane.spans.filter(span => span.attempt > 1).length;
    const running = lane.spans.some(span => span.end === undefined && span.kind !== 'event');
    const facts = [
        lane.kind === 'event' ? '' : duration(coveredTime(lane.spans, to)),
        lane.spans.length > 1 ? `${lane.spans.length}×` : '',
        retries > 0 ? `${retries} ${retries === 1 ? 'retry' : 'retries'}` : '',
        failures.length > 0 ? `${failures.length} failed` : '',
        running ? (lane.kind === 'timer' ? 'waiting' : 'running') : '',
    ].filter(Boolean).join(', ');
    return (
        <li>
            <div class="timeline-lane">
                <span class="timeline-name">
                    {lane.instance === undefined ? lane.name : (
                        <button type="button" class="link" aria-expanded={open} onClick={() => setOpen(!open)}>
                            <span aria-hidden="true">{open ? '▾' : '▸'}</span> {lane.name}
                        </button>
                    )}
                    <span class="muted"> {facts}</span>
                </span>
                <svg height={rows.length * rowHeight + 4} aria-hidden="true">
                    {timeTicks(whole).map(tick => `${(100 * tick) / whole}%`).map(x => (
                        <line key={x} class="timeline-grid" x1={x} x2={x} y1="0" y2="100%" />
                    ))}
                    {rows.map((row, i) => row.map(span => (
                        <Bar key={`${span.start} ${span.attempt}`} y={i * rowHeight + 2} {...{ span, from, to, duration }} />
                    )))}
                </svg>
            </div>
            {failures.length > 0 && (
                <ul class="timeline-failures">
                    {[...countTexts(failures)].map(([text, times]) => (
                        <li key={text} class="bad-text">{times > 1 ? `${times}× ` : ''}{text}</li>
                    ))}
                </ul>
            )}
            {open && <div class="timeline-nested">{renderInstance(lane.instance!)}</div>}
        </li>
    );
}

function Bar({ span, from, to, y, duration }: { span: Span; from: number; to: number; y: number; duration: Props['duration'] }) {
    const whole = Math.max(to - from, 1);
    const start = Math.max(span.start, from);
    const end = span.end ?? to;
    const x = (100 * (start - from)) / whole;
    const wide = Math.max(0, (100 * (end - start)) / whole);
    const waits = span.kind === 'timer';
    const failed = span.error !== undefined;
    const title = [span.name, duration(end - span.start), span.attempt > 1 ? `attempt ${span.attempt}` : '', span.error ?? '']
        .filter(Boolean).join(', ');
    if (span.kind === 'event') return <circle class="span-event" cx={`${x}%`} cy={y + 6} r="4"><title>{span.name}</title></circle>;
    return (
        <g class={`span-${span.kind}${failed ? ' span-failed' : ''}${span.end === undefined ? ' span-open' : ''}`}>
            <title>{title}</title>
            <rect x={`${x}%`} width={`${wide}%`} y={waits ? y + 4 : y} height={waits ? 4 : 12} />
            {(failed || span.attempt > 1) && (
                <text x={`${x}%`} dx="3" y={y + 10}>{failed ? '✕' : ''}{span.attempt > 1 ? span.attempt : ''}</text>
            )}
        </g>
    );
}

function countTexts(failures: readonly Span[]): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { error } of failures) counts.set(error!, (counts.get(error!) ?? 0) + 1);
    return counts;
}
