import { formatAgo, formatExactTime, formatTime } from '../format/format';

/** A time: its distance from now, the exact one as a tooltip; or the other way round. */
export function Time({ at, isExact = false }: { at: string | number; isExact?: boolean }) {
    return <time dateTime={new Date(at).toISOString()} title={formatExactTime(at)}>{isExact ? formatTime(at) : formatAgo(at)}</time>;
}
