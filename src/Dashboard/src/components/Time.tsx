import { formatAgo, formatExactTime, formatTime } from '../format/format';

const formats = { ago: formatAgo, minute: formatTime };

/** A time: its distance from now, or the time itself to the minute; complete as a tooltip. */
export function Time({ at, as = 'ago' }: { at: string | number; as?: keyof typeof formats }) {
    return <time dateTime={new Date(at).toISOString()} title={formatExactTime(at)}>{formats[as](at)}</time>;
}
