import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

interface Props<T> {
    label: string;
    items: readonly T[];
    itemKey: (item: T) => string;
    /** Height of every item, in pixels. */
    itemHeight: number;
    children: (item: T) => ComponentChildren;
}

const margin = 10;

/** A list of which only the items on the screen are rendered: as fast with 100,000 items as with 100. */
export function WindowedList<T>({ label, items, itemKey, itemHeight, children }: Props<T>) {
    const list = useRef<HTMLUListElement>(null);
    const [[first, end], setRange] = useState<[number, number]>([0, 40]);
    useEffect(() => {
        const update = () => {
            // A scroll may come between the list's removal and the end of its listeners.
            if (!list.current) return;
            const top = -list.current.getBoundingClientRect().top;
            const from = Math.max(0, Math.floor(top / itemHeight) - margin);
            // Some are there for a screen reader also when the list is far below the screen.
            const to = margin + Math.max(from, Math.ceil((top + window.innerHeight) / itemHeight));
            setRange(range => range[0] === from && range[1] === to ? range : [from, to]);
        };
        update();
        window.addEventListener('scroll', update, { passive: true });
        window.addEventListener('resize', update);
        return () => {
            window.removeEventListener('scroll', update);
            window.removeEventListener('resize', update);
        };
    }, [itemHeight, items.length]);
    const from = Math.min(first, items.length);
    const shown = items.slice(from, end);
    const space = (count: number) => `${count * itemHeight}px`;
    return (
        <ul ref={list} class="windowed" aria-label={label}
            style={{ paddingTop: space(from), paddingBottom: space(items.length - from - shown.length) }}>
            {shown.map((item, i) => (
                <li key={itemKey(item)} style={{ height: space(1) }} aria-setsize={items.length} aria-posinset={from + i + 1}>
                    {children(item)}
                </li>
            ))}
        </ul>
    );
}
