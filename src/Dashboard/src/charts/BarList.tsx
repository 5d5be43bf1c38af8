import { formatInteger, formatPercent } from '../format/format';
import './charts.css';

interface Props {
    items: readonly { label: string; count: number }[];
    /** Number that a bar across the complete width stands for; the largest count when left out. */
    total?: number;
    /** Makes each label a button. */
    onSelect?: (label: string) => void;
    selected?: string | undefined;
}

/** Labels with bars of their counts. */
export function BarList({ items, total, onSelect, selected }: Props) {
    const full = total ?? Math.max(...items.map(item => item.count), 1);
    return (
        <ul class="bar-list">
            {items.map(({ label, count }) => (
                <li key={label}>
                    {onSelect
                        ? (
                            <button type="button" class="link" aria-pressed={selected === label} onClick={() => onSelect(label)}>
                                {label}
                            </button>
                        )
                        : <span class="bar-label">{label}</span>}
                    <span class="bar-track" aria-hidden="true"><span style={{ width: `${(100 * count) / full}%` }} /></span>
                    <span class="bar-count">{formatInteger(count)}{total ? ` (${formatPercent(count / total)})` : ''}</span>
                </li>
            ))}
        </ul>
    );
}
