import { describe, expect, it } from 'vitest';
import charts from '../../src/charts/charts.css?raw';
import styles from '../../src/styles.css?raw';

type Colour = [number, number, number];

function colour(property: string, theme: 'light' | 'dark'): Colour {
    const match = new RegExp(`--${property}: light-dark\\(#(\\w{6}), #(\\w{6})\\)`).exec(styles)!;
    const hex = theme === 'light' ? match[1]! : match[2]!;
    return [0, 2, 4].map(at => parseInt(hex.slice(at, at + 2), 16)) as Colour;
}

// Relative luminance and contrast ratio of WCAG 2.2.
function luminance(rgb: Colour): number {
    const [r, g, b] = rgb.map(channel => channel / 255).map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)) as Colour;
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: Colour, b: Colour): number {
    const [dark, light] = [luminance(a), luminance(b)].toSorted((x, y) => x - y) as [number, number];
    return (light + 0.05) / (dark + 0.05);
}

const mix = (a: Colour, b: Colour, share: number) => a.map((channel, i) => channel * share + b[i]! * (1 - share)) as Colour;

describe.each(['light', 'dark'] as const)('in the %s theme', theme => {
    it.each(['right', 'wrong'])('a full cell of %s answers has text of contrast 4.5', kind => {
        const mixed = 'color-mix\\(in srgb, var\\(--(\\w+)\\) calc\\((\\d+)% \\+ (\\d+)%';
        const rule = new RegExp(`confusion-${kind} \\{ background: ${mixed}`).exec(charts)!;
        const cell = mix(colour(rule[1]!, theme), colour('surface', theme), (Number(rule[2]) + Number(rule[3])) / 100);
        expect(contrast(colour('text', theme), cell)).toBeGreaterThanOrEqual(4.5);
    });
});
