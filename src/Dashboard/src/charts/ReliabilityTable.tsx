import { formatInteger, formatPercent } from '../format/format';
import type { ReliabilityBin } from './evaluation';
import './charts.css';

/** Share of right categories by confidence: a bar for the accuracy, with a mark where the confidence is. */
export function ReliabilityTable({ bins }: { bins: readonly ReliabilityBin[] }) {
    return (
        <div class="table-scroll" tabIndex={0} role="region" aria-label="Reliability of the confidence, table">
            <table class="reliability">
                <thead>
                    <tr>
                        <th scope="col">Confidence</th>
                        <th scope="col">Right</th>
                        <th scope="col" class="number">Answers</th>
                    </tr>
                </thead>
                <tbody>
                    {bins.filter(bin => bin.count > 0).map(({ from, to, count, right, confidence }) => (
                        <tr key={from}>
                            <th scope="row">{formatPercent(from, 0)} – {formatPercent(to, 0)}</th>
                            <td class="reliability-bar">
                                {formatPercent(right / count, 0)}
                                <svg width="100%" height="14" aria-hidden="true">
                                    <rect width={`${(100 * right) / count}%`} height="8" y="3" />
                                    <line x1={`${(100 * confidence) / count}%`} x2={`${(100 * confidence) / count}%`} y1="0" y2="14" />
                                </svg>
                            </td>
                            <td class="number">{formatInteger(count)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}
