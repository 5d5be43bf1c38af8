import { effect, signal } from '@preact/signals';

export type Theme = 'light' | 'dark';
const stored = 'theme';
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const chosen = signal(localStorage.getItem(stored) as Theme | null);
const preferred = signal<Theme>(dark.matches ? 'dark' : 'light');
dark.addEventListener('change', () => { preferred.value = dark.matches ? 'dark' : 'light'; });

/** The theme in use. What is drawn on a canvas must be drawn again when it changes. */
export const theme = (): Theme => chosen.value ?? preferred.value;

/** Changes to the other theme; back to the system's, so that the page follows it again. */
export function toggleTheme(): void {
    const next = theme() === 'dark' ? 'light' : 'dark';
    chosen.value = next === preferred.value ? null : next;
}

effect(() => {
    if (chosen.value) {
        document.documentElement.dataset['theme'] = chosen.value;
        localStorage.setItem(stored, chosen.value);
    } else {
        delete document.documentElement.dataset['theme'];
        localStorage.removeItem(stored);
    }
});

/** Resolves a custom property such as `--accent` to a colour that a canvas understands, in the theme of the moment. */
export function cssColour(property: string): string {
    const probe = document.createElement('span');
    probe.style.color = `var(${property})`;
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
}
