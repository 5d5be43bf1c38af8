import { useApi } from '../api/polling';
import type { Schemas } from '../api/schema';
import type { Span } from '../charts/lanes';
import { TimelineBars } from '../charts/TimelineBars';
import { Empty } from '../components/Empty';
import { Loaded } from '../components/Loaded';
import { formatCount, formatDuration } from '../format/format';

type Timeline = Schemas['Timeline'];

const at = (time: string | undefined) => (time === undefined ? undefined : Date.parse(time));

/** Spans with their times as numbers. */
const spansOf = ({ spans }: Timeline): Span[] => spans.map(({ kind, name, startedAt, endedAt, error, attempt, instance }) => ({
    kind, name, start: Date.parse(startedAt), end: at(endedAt), error, attempt: attempt ?? 1, instance,
}));

/** End of a timeline's axis: that of the orchestration, or now. No span goes beyond it, whatever the clocks say. */
const endOf = (timeline: Timeline, now = Date.now()): number =>
    Math.max(at(timeline.endedAt) ?? now, ...timeline.spans.map(span => at(span.endedAt) ?? Date.parse(span.startedAt)));

/** Polls the timeline of an orchestration until it has ended. */
export const useTimeline = (instance: string) =>
    useApi('/api/timelines/{instance}', { path: { instance } }, timeline => (timeline.endedAt === undefined ? 3000 : undefined));

/** Bars of an orchestration, whose sub-orchestrations open to their own. */
export function Course({ timeline }: { timeline: Timeline }) {
    if (timeline.spans.length === 0) return <Empty title="Nothing has been called yet." />;
    const from = timeline.leftOut > 0 ? Date.parse(timeline.spans[0]!.startedAt) : Date.parse(timeline.createdAt);
    return (
        <>
            {timeline.leftOut > 0 && <p class="hint">{formatCount(timeline.leftOut, 'earlier call')} left out.</p>}
            <TimelineBars spans={spansOf(timeline)} from={from} to={endOf(timeline)}
                duration={milliseconds => formatDuration(milliseconds / 1000)}
                renderInstance={instance => <Instance instance={instance} />} />
        </>
    );
}

function Instance({ instance }: { instance: string }) {
    const timeline = useTimeline(instance);
    return <Loaded from={timeline}>{value => <Course timeline={value} />}</Loaded>;
}
