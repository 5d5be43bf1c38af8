import { Progress } from '../components/Progress';
import { formatBytes, formatCount, formatDuration, formatInteger, formatNumber, formatSignificant } from '../format/format';
import { hasEnded, type RunView } from './run-state';

const phases = ['resolving', 'ingesting', 'mirroring', 'training', 'publishing', 'done'] as const;
type Phase = typeof phases[number];

/** State of a phase; after a failure or a cancellation none comes next. */
type PhaseState = 'done' | 'current' | 'failed' | 'open';

/** States of all phases of a run, in order. */
export function phaseStates(run: RunView): { phase: Phase; state: PhaseState }[] {
    const at = run.runtimeStatus === 'Completed' ? phases.length : phases.indexOf(run.status?.phase ?? 'resolving');
    return phases.map((phase, i) => ({
        phase, state: i < at || at === phases.length - 1 ? 'done' : i > at ? 'open' : hasEnded(run) ? 'failed' : 'current',
    }));
}

const words: Record<PhaseState, string> = { done: 'done', current: 'in progress', failed: 'ended here', open: 'not begun' };

/** The phases of a run, with counts, rates and the time left. */
export function PhaseStrip({ run }: { run: RunView }) {
    return (
        <ol class="phases" aria-label="Phases">
            {phaseStates(run).map(({ phase, state }) => (
                <li key={phase} class={`phase phase-${state}`} aria-current={state === 'current' ? 'step' : undefined}>
                    <strong>{phase}<span class="sr-only">, {words[state]}</span></strong>
                    {state !== 'open' && <PhaseFacts run={run} phase={phase} isCurrent={state === 'current'} />}
                </li>
            ))}
        </ol>
    );
}

function PhaseFacts({ run: { status, outcome }, phase, isCurrent }: { run: RunView; phase: Phase; isCurrent: boolean }) {
    const { rows, totalRows, rate, training } = status ?? {};
    const facts: string[] = [];
    let progress: number | undefined;
    let left: number | undefined;
    if (phase === 'ingesting' && rows) {
        const read = isCurrent && totalRows ? `${formatInteger(rows.rows)} of ` : '';
        facts.push(`${read}${formatCount(read ? totalRows! : rows.rows, 'row')}`);
        if (rows.rejected) facts.push(`${formatInteger(rows.rejected)} rejected`);
        if (rows.duplicates) facts.push(formatCount(rows.duplicates, 'duplicate'));
        if (isCurrent && totalRows) progress = rows.rows / totalRows;
        if (isCurrent && rate) {
            facts.push(
                `${formatNumber(rate.rowsPerSecond)} rows/s`, `${formatNumber(rate.imagesPerSecond)} images/s`,
                `${formatBytes(rate.bytesPerSecond)}/s`);
            left = rate.etaSeconds;
        }
    }
    if (phase === 'training' && training) {
        facts.push(`step ${formatInteger(training.step)} of ${formatInteger(training.steps)}`);
        if (isCurrent) {
            facts.push(training.phase.replaceAll('-', ' '), `epoch ${formatNumber(training.epoch)}`);
            if (training.samplesPerSecond !== undefined) facts.push(`${formatSignificant(training.samplesPerSecond, 3)} images/s`);
            if (training.steps > 0) progress = training.step / training.steps;
            left = training.etaSeconds;
        }
    }
    if (phase === 'training' && outcome) facts.push(formatCount(outcome.result.steps, 'step'), formatDuration(outcome.result.seconds));
    if (phase === 'publishing' && outcome) facts.push(outcome.published ? 'serves' : 'does not serve');
    return (
        <>
            {progress !== undefined && <Progress value={progress} label={phase} />}
            {facts.map(fact => <span key={fact} class="phase-facts">{fact}</span>)}
            {left !== undefined && <span class="phase-facts">{formatDuration(left)} left</span>}
            {isCurrent && status?.message && <span class="phase-facts">{status.message}</span>}
        </>
    );
}
