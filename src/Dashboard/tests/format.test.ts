import { expect, test } from 'vitest';
import {
    formatAgo, formatBytes, formatCount, formatDifference, formatDuration, formatInteger, formatNumber, formatPercent, formatSignificant,
    none,
} from '../src/format/format';

test.each([
    [0, '0'], [1234.567, '1,234.57'], [null, none], [undefined, none], [NaN, none], [Infinity, none],
])('A number %s is %s', (value, text) => expect(formatNumber(value)).toBe(text));

test.each([
    [0.043123, '0.04312'], [6.0631, '6.063'], [0, '0'], [2e-5, '2e-5'], [1.25e-4, '1.25e-4'], [1234567, '1.23e6'], [-0.5, '-0.5'],
])('%s with significant digits is %s', (value, text) => expect(formatSignificant(value)).toBe(text));

test.each([
    [0.975, '97.5 %'], [1, '100 %'], [0, '0 %'], [undefined, none],
])('The share %s is %s', (value, text) => expect(formatPercent(value)).toBe(text));

test.each([
    [0, '0 B'], [999, '999 B'], [1000, '1 kB'], [1_450_000, '1.4 MB'], [58_000_000_000, '58 GB'],
])('%s bytes are %s', (value, text) => expect(formatBytes(value)).toBe(text));

test.each([
    [0.34, '340 ms'], [4.25, '4.3 s'], [59.4, '59 s'], [59.7, '1 min 00 s'], [185, '3 min 05 s'], [7800, '2 h 10 min'],
    [273_600, '3 d 4 h'],
])('%s seconds are %s', (value, text) => expect(formatDuration(value)).toBe(text));

test.each([
    [0.02, '+0.02'], [-0.02, '−0.02'], [0, '±0'], [undefined, none],
])('The difference %s is %s', (value, text) => expect(formatDifference(value)).toBe(text));

test('A difference has the form of its figures', () => expect(formatDifference(-0.1, formatPercent)).toBe('−10 %'));

test('A time is told by its distance, an old one by its date', () => {
    const now = Date.parse('2026-05-12T12:00:00Z');
    expect(formatAgo('2026-05-12T11:59:55Z', now)).toBe('just now');
    expect(formatAgo('2026-05-12T11:57:00Z', now)).toBe('3 min ago');
    expect(formatAgo('2026-05-10T12:00:00Z', now)).toBe('2 days ago');
    expect(formatAgo('2026-01-02T12:00:00Z', now)).toContain('2026');
});

test('A count agrees with its noun', () => {
    expect([formatCount(1, 'image'), formatCount(2000, 'image')]).toEqual(['1 image', '2,000 images']);
    expect(formatInteger(12_345.6)).toBe('12,346');
});
