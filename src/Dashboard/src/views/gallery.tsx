import { useEffect, useMemo, useState } from 'preact/hooks';
import { apiUrl } from '../api/client';
import { useApi } from '../api/polling';
import type { Schemas } from '../api/schema';
import { AnswerDiff } from '../charts/AnswerDiff';
import { ApiImage } from '../components/ApiImage';
import { Empty } from '../components/Empty';
import { ErrorBox } from '../components/ErrorBox';
import { Freshness } from '../components/Freshness';
import { Loading } from '../components/Loaded';
import { known, labelOf } from '../format/fields';
import { formatInteger, formatPercent } from '../format/format';
import type { ViewProps } from '../shell/router';
import { hasEnded, RunFrame, useRun } from './run-state';
import './runs.css';

type Sample = Schemas['GallerySample'];

const pause = 900;

/** Steps at which any of the samples was answered, in order. */
const stepsOf = (samples: readonly Sample[]): number[] =>
    [...new Set(samples.flatMap(sample => sample.answers.map(answer => answer.step)))].sort((a, b) => a - b);

/** The answer at a step, or the last one before it; undefined when there is none. */
const answerAt = (sample: Sample, step: number) => sample.answers.findLast(answer => answer.step <= step);

/** The fixed validation images of a run with their answers over the steps. */
export default function Gallery({ params }: ViewProps) {
    const name = params['run']!;
    const run = useRun(name);
    const isLive = run.value.value !== undefined && !hasEnded(run.value.value);
    const gallery = useApi('/api/runs/{run}/samples', { path: { run: name } }, 5000);
    const samples = gallery.value.value?.samples;
    const error = gallery.error.value;
    return (
        <RunFrame run={name} title={`Gallery of ${name}`} subtitle={isLive && <Freshness of={gallery} />}>
            {samples !== undefined && samples.length > 0
                ? <Slides run={name} samples={samples} />
                : error && error.status !== 404
                    ? <ErrorBox error={error} retry={() => void gallery.refresh()} />
                    : error || samples
                        ? (
                            <Empty title="There are no answers yet.">
                                <p>The worker answers a few validation images before the first step and at every validation.</p>
                            </Empty>
                        )
                        : <Loading />}
        </RunFrame>
    );
}

function Slides({ run, samples }: { run: string; samples: readonly Sample[] }) {
    const steps = useMemo(() => stepsOf(samples), [samples]);
    // Undefined follows the newest step.
    const [chosen, setChosen] = useState<number>();
    const [isPlaying, setPlaying] = useState(false);
    const last = steps.length - 1;
    const index = Math.min(chosen ?? last, last);
    const step = steps[index]!;
    useEffect(() => {
        if (!isPlaying) return;
        const timer = setInterval(() => setChosen(at => Math.min((at ?? last) + 1, last)), pause);
        return () => clearInterval(timer);
    }, [isPlaying, last]);
    useEffect(() => { if (isPlaying && index === last) setPlaying(false); }, [isPlaying, index, last]);
    const play = () => {
        if (!isPlaying && index === last) setChosen(0);
        setPlaying(!isPlaying);
    };
    return (
        <>
            <div class="gallery-bar card">
                <button type="button" onClick={play} disabled={last === 0}>{isPlaying ? 'Pause' : 'Play'}</button>
                <input type="range" min={0} max={last} value={index} aria-label="Step" aria-valuetext={stepName(step)}
                    onInput={event => {
                        const at = event.currentTarget.valueAsNumber;
                        setPlaying(false);
                        setChosen(at === last ? undefined : at);
                    }} />
                <output class="gallery-step">{stepName(step)}</output>
            </div>
            <ul class="gallery">
                {samples.map(sample => <Slide key={sample.image} run={run} sample={sample} step={step} />)}
            </ul>
        </>
    );
}

const stepName = (step: number) => (step === 0 ? 'base model' : `step ${formatInteger(step)}`);

function Slide({ run, sample, step }: { run: string; sample: Sample; step: number }) {
    const answer = answerAt(sample, step);
    const isRight = answer?.answer.trim() === sample.truth;
    return (
        <li class="card slide">
            <ApiImage class="slide-image" alt={sample.truth}
                url={apiUrl('/api/runs/{run}/samples/{file}', { path: { run, file: sample.image }, query: { width: 480 } })} />
            <dl>
                <dt>Truth</dt>
                <dd>{sample.truth}</dd>
                <dt>
                    Answer
                    {answer && <span class={`badge ${isRight ? 'badge-good' : 'badge-warn'}`}>{isRight ? 'right' : 'differs'}</span>}
                </dt>
                <dd>{answer ? <AnswerDiff answer={answer.answer} truth={sample.truth} /> : <span class="muted">not answered yet</span>}</dd>
            </dl>
            {answer?.confidence && <Confidence confidence={answer.confidence} />}
        </li>
    );
}

function Confidence({ confidence }: { confidence: Schemas['Confidence'] }) {
    const fields = known(confidence).map(([name, value]) => `${labelOf(name).toLowerCase()} ${formatPercent(value, 0)}`);
    return (
        <p class="small muted">
            Confidence {formatPercent(confidence.answer, 0)}
            {fields.length > 0 && ` (${fields.join(', ')})`}
        </p>
    );
}
