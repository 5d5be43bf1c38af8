import { computed } from '@preact/signals';
import { cssColour, theme } from '../shell/theme';

const properties = [
    '--text', '--muted', '--border', '--accent-soft', '--series-1', '--series-2', '--series-3', '--series-4',
] as const;

/** Colours of the theme in use, by their properties, for what is drawn on a canvas. */
export const palette = computed(() => {
    theme();
    return Object.fromEntries(properties.map(property => [property, cssColour(property)])) as Record<typeof properties[number], string>;
});
