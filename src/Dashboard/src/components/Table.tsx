import type { ComponentChildren } from 'preact';
import { useMemo, useState } from 'preact/hooks';

/** A column of a table. */
export interface Column<T> {
    key: string;
    header: string;
    cell: (row: T) => ComponentChildren;
    /** Value to sort by; without it the column cannot be sorted. Rows without a value come last. */
    sort?: (row: T) => string | number | null | undefined;
    /** Numbers stand at the right, in digits of one width. */
    isNumber?: boolean;
}

interface Props<T> {
    /** What the table lists, for screen readers. */
    caption: string;
    columns: readonly Column<T>[];
    rows: readonly T[];
    rowKey: (row: T) => string;
    /** Column to sort by at first; the order of the rows when left out. */
    sortBy?: { key: string; isDescending: boolean };
}

/** A table whose headers sort it. It scrolls sideways by itself where it is too wide, also by keyboard. */
export function Table<T>({ caption, columns, rows, rowKey, sortBy }: Props<T>) {
    const [order, setOrder] = useState(sortBy);
    const sorted = useMemo(() => {
        const sort = columns.find(column => column.key === order?.key)?.sort;
        return sort ? rows.toSorted((a, b) => compare(sort(a), sort(b), order!.isDescending)) : rows;
    }, [rows, columns, order]);
    const change = (key: string) =>
        setOrder(order?.key === key ? { key, isDescending: !order.isDescending } : { key, isDescending: false });
    return (
        <div class="table-scroll" role="region" aria-label={caption} tabIndex={0}>
            <table>
                <caption class="sr-only">{caption}</caption>
                <thead>
                    <tr>{columns.map(column => {
                        const direction = order?.key !== column.key ? 'none' : order.isDescending ? 'descending' : 'ascending';
                        return (
                            <th key={column.key} scope="col" class={column.isNumber ? 'number' : undefined}
                                aria-sort={column.sort ? direction : undefined}>
                                {column.sort
                                    ? (
                                        <button type="button" class="sort" onClick={() => change(column.key)}>
                                            {column.header}<span class="sort-mark" aria-hidden="true" />
                                        </button>
                                    )
                                    : column.header}
                            </th>
                        );
                    })}
                    </tr>
                </thead>
                <tbody>
                    {sorted.map(row => (
                        <tr key={rowKey(row)}>
                            {columns.map(column => (
                                <td key={column.key} class={column.isNumber ? 'number' : undefined}>{column.cell(row)}</td>
                            ))}
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

type Sortable = string | number | null | undefined;

function compare(a: Sortable, b: Sortable, isDescending: boolean): number {
    if (a === b) return 0;
    if (a === null || a === undefined) return 1;
    if (b === null || b === undefined) return -1;
    const order = typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true });
    return isDescending ? -order : order;
}
