import type { Schemas } from '../api/schema';
import { known, labelOf } from '../format/fields';
import { formatPercent } from '../format/format';

/** A share from 0 to 1 as a bar with its number. */
export function Share({ value, isLow }: { value: number; isLow: boolean }) {
    return (
        <span class={isLow ? 'share share-low' : 'share'}>
            <span class="share-bar" aria-hidden="true"><span style={{ width: `${Math.max(0, Math.min(1, value)) * 100}%` }} /></span>
            <span class="share-number">{formatPercent(value, 0)}</span>
        </span>
    );
}

/** The model's confidence in its answer and in each field. */
export function ConfidenceBars({ confidence, below }: { confidence: Schemas['Confidence']; below: number }) {
    return (
        <dl class="confidence">
            {[['answer', confidence.answer] as const, ...known(confidence)].map(([name, value]) => (
                <div key={name}>
                    <dt>{labelOf(name)}</dt>
                    <dd><Share value={value} isLow={value < below} /></dd>
                </div>
            ))}
        </dl>
    );
}
