import type { ComponentType } from 'preact';
import { h, render } from 'preact';
import { act } from 'preact/test-utils';
import { parsePlace, place, type ViewProps } from '../../src/shell/router';

let shown: HTMLElement | undefined;

/** Renders a view at a place of the page, without what was rendered before. */
export async function show(view: ComponentType<ViewProps>, hash: string, params: Record<string, string> = {}): Promise<HTMLElement> {
    hide();
    history.replaceState(null, '', hash);
    place.value = parsePlace(hash);
    // As the shell does: a change of the query renders the view again.
    const Shown = () => h(view, { params, query: place.value.query });
    const host = shown = document.createElement('main');
    document.body.append(host);
    await act(() => render(h(Shown, {}), host));
    await settle();
    return host;
}

/** Removes the view, which ends its polls. */
export function hide(): void {
    if (shown) render(null, shown);
    shown?.remove();
    shown = undefined;
}

/** Lets requests and what follows from them come to their end. */
export async function settle(): Promise<void> {
    for (let i = 0; i < 6; i++) await act(() => new Promise<void>(resolve => { setTimeout(resolve, 0); }));
}

/** Finds an element by its selector and text. */
export function find<E extends HTMLElement>(selector: string, text = ''): E {
    const found = [...document.querySelectorAll<E>(selector)].find(element => element.textContent.includes(text));
    if (!found) throw new Error(`There is no ${selector} with "${text}" in:\n${document.body.textContent}`);
    return found;
}

/** Clicks and waits for what follows. */
export async function click(element: HTMLElement): Promise<void> {
    await act(() => element.click());
    await settle();
}

/** Enters a text, or the position of a slider, and waits for what follows. */
export async function enter(element: HTMLInputElement | HTMLSelectElement, value: string): Promise<void> {
    await act(() => {
        element.value = value;
        element.dispatchEvent(new Event('input', { bubbles: true }));
        element.dispatchEvent(new Event('change', { bubbles: true }));
    });
    await settle();
}
