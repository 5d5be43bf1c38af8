import { render } from 'preact';
import { act } from 'preact/test-utils';
import { useState } from 'preact/hooks';
import { expect, test, vi } from 'vitest';
import { ApiError } from '../src/api/errors';
import { Dialog } from '../src/components/Dialog';
import { ErrorBox } from '../src/components/ErrorBox';
import { Table } from '../src/components/Table';
import { Tabs } from '../src/components/Tabs';
import { attempt, notify, Toasts } from '../src/components/Toasts';
import { WindowedList } from '../src/components/WindowedList';

const show = (element: preact.ComponentChild): Promise<void> => act(() => render(element, document.body));
const $ = <E extends HTMLElement>(selector: string): E => document.querySelector<E>(selector)!;
const texts = (selector: string): string[] => [...document.querySelectorAll(selector)].map(element => element.textContent ?? '');
const click = (selector: string): Promise<void> => act(() => $(selector).click());

test('A table sorts by its headers and says so; rows without a value come last', async () => {
    const rows = [{ name: 'b', n: 2 }, { name: 'a', n: undefined }, { name: 'c', n: 10 }];
    await show(
        <Table caption="Things" rows={rows} rowKey={row => row.name} columns={[
            { key: 'name', header: 'Name', cell: row => row.name },
            { key: 'n', header: 'N', isNumber: true, cell: row => row.n, sort: row => row.n },
        ]} />);
    const names = () => texts('tbody td:first-child');
    expect(names()).toEqual(['b', 'a', 'c']);
    await click('th button');
    expect([names(), $('th:last-child').getAttribute('aria-sort')]).toEqual([['b', 'c', 'a'], 'ascending']);
    await click('th button');
    expect([names(), $('th:last-child').getAttribute('aria-sort')]).toEqual([['c', 'b', 'a'], 'descending']);
    expect($('th:first-child').hasAttribute('aria-sort')).toBe(false);
});

test('Arrow keys go from tab to tab, and only the selected one is in the tab order', async () => {
    function Three() {
        const [selected, select] = useState('a');
        return (
            <Tabs label="Three" selected={selected} onSelect={select} tabs={['a', 'b', 'c'].map(key => ({ key, label: key }))}>
                {selected}
            </Tabs>
        );
    }
    await show(<Three />);
    const press = (key: string) => act(() => { $('[role=tablist]').dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true })); });
    await press('ArrowLeft');
    expect([$('[role=tabpanel]').textContent, document.activeElement?.id]).toEqual(['c', 'tab-c']);
    await press('ArrowRight');
    await press('End');
    expect($('[aria-selected=true]').id).toBe('tab-c');
    expect([...document.querySelectorAll<HTMLElement>('[role=tab]')].map(tab => tab.tabIndex)).toEqual([-1, -1, 0]);
});

test('A dialog is modal, named by its title, and asks to be closed for Escape', async () => {
    const close = vi.fn();
    const modal = vi.spyOn(HTMLDialogElement.prototype, 'showModal');
    await show(<Dialog title="Delete?" onClose={close}>text</Dialog>);
    expect(modal).toHaveBeenCalledOnce();
    expect($(`#${CSS.escape($('dialog').getAttribute('aria-labelledby')!)}`).textContent).toBe('Delete?');
    await act(() => { $('dialog').dispatchEvent(new Event('cancel', { cancelable: true })); });
    await click('button[aria-label=Close]');
    expect(close).toHaveBeenCalledTimes(2);
});

test('An error is shown with the messages of its fields and a way to try again', async () => {
    const retry = vi.fn();
    const errors = [{ field: 'a', message: 'is odd' }, { field: 'b', message: 'is even' }];
    await show(<ErrorBox retry={retry} error={new ApiError({ status: 400, title: 'Bad Request', detail: 'Two errors.', errors })} />);
    expect($('[role=alert]').textContent).toContain('Two errors.');
    expect(texts('li')).toEqual(['a is odd', 'b is even']);
    await click('button');
    expect(retry).toHaveBeenCalledOnce();
});

test('What was done is read out and goes; an error stays until it is dismissed', async () => {
    vi.useFakeTimers();
    await show(<Toasts />);
    await act(() => notify('Stored.'));
    await act(async () => { await attempt(() => Promise.reject(new Error('Refused.')), 'Done.'); });
    expect($('[role=status]').textContent).toContain('Stored.');
    await act(() => { vi.advanceTimersByTime(60_000); });
    expect(texts('.toast span')).toEqual(['Refused.']);
    await click('.toast button');
    expect(texts('.toast')).toEqual([]);
    vi.useRealTimers();
});

test('Of 100,000 items only those on the screen are rendered', async () => {
    const items = Array.from({ length: 100_000 }, (_, i) => String(i));
    const top = vi.spyOn(HTMLElement.prototype, 'getBoundingClientRect').mockReturnValue({ top: 0 } as DOMRect);
    await show(<WindowedList label="Items" items={items} itemKey={item => item} itemHeight={50}>{item => item}</WindowedList>);
    expect(texts('li').length).toBeLessThan(60);
    expect(texts('li')[0]).toBe('0');
    top.mockReturnValue({ top: -2_500_000 } as DOMRect);
    await act(() => { window.dispatchEvent(new Event('scroll')); });
    expect(texts('li')).toContain('50000');
    expect(texts('li').length).toBeLessThan(60);
    const list = $('ul').style;
    expect(parseInt(list.paddingTop) + parseInt(list.paddingBottom) + texts('li').length * 50).toBe(5_000_000);
});
