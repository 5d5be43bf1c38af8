import type { ComponentType } from 'preact';
import { h, render } from 'preact';
import { act } from 'preact/test-utils';
import { vi } from 'vitest';
import { forgetResponses } from '../../src/api/client';
import { parsePlace, place, type ViewProps } from '../../src/shell/router';

/** A request that the page has sent. */
export interface Sent {
    method: string;
    /** Path below `/api`, such as `/runs/first`. */
    path: string;
    query: URLSearchParams;
    body: unknown;
}

type Answer = (sent: Sent) => Response | object;

export const jsonl = (lines: readonly object[]) =>
    new Response(lines.map(line => `${JSON.stringify(line)}\n`).join(''), { headers: { 'Content-Type': 'application/jsonl' } });

export const problem = (status: number, members: object) => new Response(
    JSON.stringify({ status, title: 'Problem', detail: 'It does not work.', ...members }),
    { status, headers: { 'Content-Type': 'application/problem+json' } });

/** Puts answers by method and path, such as `GET /runs/first`, in place of the network. Returns what is sent, as it is sent. */
export function fakeApi(answers: Record<string, Answer | object>): Sent[] {
    const sent: Sent[] = [];
    forgetResponses();
    vi.stubGlobal('fetch', (address: string, init: RequestInit = {}) => {
        const url = new URL(address);
        const request = {
            method: init.method ?? 'GET', path: url.pathname.replace(/^\/api/, ''), query: url.searchParams,
            body: typeof init.body === 'string' ? JSON.parse(init.body) as unknown : undefined,
        };
        sent.push(request);
        const answer = answers[`${request.method} ${request.path}`];
        if (answer === undefined) return Promise.resolve(problem(404, { detail: `No fake of ${request.method} ${request.path}.` }));
        const value = typeof answer === 'function' ? (answer as Answer)(request) : answer;
        return Promise.resolve(value instanceof Response
            ? value.clone()
            : new Response(JSON.stringify(value), { headers: { 'Content-Type': 'application/json' } }));
    });
    return sent;
}

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
