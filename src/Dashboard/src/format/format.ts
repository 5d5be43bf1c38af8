// One language for words and numbers: the page is in English. Hours go to 24.
const language = 'en-GB';
const number = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
const integer = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(language, { notation: 'compact', maximumFractionDigits: 1 });
const dateTime = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
const exactTime = new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'long' });
const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });

/** Shown in place of a value that is not there. */
export const none = '–';

type Maybe = number | null | undefined;
const orNone = (value: Maybe, format: (value: number) => string): string =>
    value === null || value === undefined || !Number.isFinite(value) ? none : format(value);

/** `1,234.5` */
export const formatNumber = (value: Maybe): string => orNone(value, value => number.format(value));

/** `1,234` */
export const formatInteger = (value: Maybe): string => orNone(value, value => integer.format(value));

/** `12.3k` */
export const formatCompact = (value: Maybe): string => orNone(value, value => compact.format(value));

/** Significant digits for losses and rates: `0.04312`, `2e-5`. */
export const formatSignificant = (value: Maybe, digits = 4): string => orNone(value, value => {
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-3 || size >= 1e6)
        ? value.toExponential(digits - 2).replace(/\.?0+e/, 'e').replace('e+', 'e')
        : String(Number(value.toPrecision(digits)));
});

/** `97.5 %`, of a share from 0 to 1. */
export const formatPercent = (share: Maybe, digits = 1): string => orNone(share, share => `${Number((share * 100).toFixed(digits))} %`);

/** A difference with its sign: `+0.02`, `−0.02`. */
export const formatDifference = (value: Maybe, format: (value: number) => string = formatSignificant): string =>
    orNone(value, value => value === 0 ? '±0' : `${value > 0 ? '+' : '−'}${format(Math.abs(value))}`);

/** `1.4 MB`, in powers of 1000. */
export const formatBytes = (bytes: Maybe): string => orNone(bytes, bytes => {
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
    const value = bytes / 1000 ** power;
    return `${power === 0 ? value : Number(value.toFixed(value < 10 ? 1 : 0))} ${units[power]}`;
});

/** A duration in seconds: `340 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`. */
export const formatDuration = (seconds: Maybe): string => orNone(seconds, seconds => {
    if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
    if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
    const whole = Math.round(seconds);
    if (whole < 60) return `${whole} s`;
    const two = (large: number, unit: string, small: number, smallUnit: string) =>
        `${large} ${unit} ${String(small).padStart(2, '0')} ${smallUnit}`;
    if (whole < 3600) return two(Math.floor(whole / 60), 'min', whole % 60, 's');
    if (whole < 86400) return two(Math.floor(whole / 3600), 'h', Math.floor(whole % 3600 / 60), 'min');
    return `${Math.floor(whole / 86400)} d ${Math.floor(whole % 86400 / 3600)} h`;
});

/** `12 May 2026, 14:03`, in the browser's time zone. */
export const formatTime = (at: string | number | null | undefined): string => at === null || at === undefined ? none
    : dateTime.format(new Date(at));

/** Time with seconds and time zone, for a tooltip. */
export const formatExactTime = (at: string | number): string => exactTime.format(new Date(at));

/** `3 min ago`; a date when that is more than a week away. */
export function formatAgo(at: string | number, now = Date.now()): string {
    const seconds = (new Date(at).getTime() - now) / 1000;
    const size = Math.abs(seconds);
    if (size < 10) return 'just now';
    if (size < 60) return relative.format(Math.round(seconds), 'second');
    if (size < 3600) return relative.format(Math.round(seconds / 60), 'minute');
    if (size < 86400) return relative.format(Math.round(seconds / 3600), 'hour');
    return size < 7 * 86400 ? relative.format(Math.round(seconds / 86400), 'day') : formatTime(at);
}

/** `1 image`, `1,200 images` */
export const formatCount = (count: number, one: string, many = `${one}s`): string => `${formatInteger(count)} ${count === 1 ? one : many}`;
