import { formatPercent } from '../format/format';
import type { Confusion } from './evaluation';
import './charts.css';

interface Props {
    confusion: Confusion;
    /** Called with the true category and the answered one; `''` stands for an answer without a known category. */
    onOpen: (truth: string, answered: string) => void;
}

/** Name of an answered category; the empty text stands for none of the dataset's. */
export const answeredName = (category: string) => (category === '' ? 'none' : category);

/**
 * Confusion matrix: a row for each true category, a column for each answered one. A cell's colour is its share of the row; its button opens
 * the samples. Wide tables scroll.
 */
export function ConfusionMatrix({ confusion: { truths, answered, cells }, onOpen }: Props) {
    return (
        <div class="table-scroll confusion" tabIndex={0} role="region" aria-label="Confusion matrix">
            <table>
                <thead>
                    <tr>
                        <th scope="col">True \ answered</th>
                        {answered.map(category => (
                            <th key={category} scope="col" class="confusion-column"><span>{answeredName(category)}</span></th>
                        ))}
                        <th scope="col">Right</th>
                    </tr>
                </thead>
                <tbody>
                    {truths.map(truth => {
                        const row = cells.get(truth)!;
                        const total = [...row.values()].reduce((a, b) => a + b, 0);
                        return (
                            <tr key={truth}>
                                <th scope="row">{truth}</th>
                                {answered.map(category => {
                                    const count = row.get(category) ?? 0;
                                    if (count === 0) return <td key={category}><span class="sr-only">0</span></td>;
                                    const share = count / total;
                                    return (
                                        <td key={category}>
                                            <button
                                                type="button" class={truth === category ? 'confusion-right' : 'confusion-wrong'}
                                                style={{ '--share': share.toFixed(3) }}
                                                aria-label={`${count} of ${total} ${truth} answered as ${answeredName(category)}`}
                                                onClick={() => onOpen(truth, category)}
                                            >
                                                {count}
                                            </button>
                                        </td>
                                    );
                                })}
                                <td class="number">{formatPercent((row.get(truth) ?? 0) / total, 0)}</td>
                            </tr>
                        );
                    })}
                </tbody>
            </table>
        </div>
    );
}
