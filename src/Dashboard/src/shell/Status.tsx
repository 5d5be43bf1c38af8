import { apiUrl, get, orNull, send } from '../api/client';
import { isConnectionLost, usePolled } from '../api/polling';
import type { Schemas } from '../api/schema';
import { href } from './router';

type Mood = 'good' | 'warn' | 'bad' | 'unknown';

// The details come with status 503, too, when storage is what is missing.
async function readHealth(signal: AbortSignal): Promise<Schemas['Health']> {
    const response = await send(apiUrl('/api/health/details'), { signal, isAnswer: status => status === 503 });
    return await response.json() as Schemas['Health'];
}

/** Health of storage and worker, and the serving model. */
export function Status() {
    const health = usePolled('health', readHealth, 15_000);
    const model = usePolled('serving', abort => orNull(get('/api/models/current', {}, abort)), 15_000);
    const { storage, worker } = health.value.value ?? {};
    const serving = model.value.value;
    return (
        <div class="status">
            {isConnectionLost() && <p class="status-line bad-text" role="status">Connection lost, trying again</p>}
            <Line label="Storage" detail={storage} />
            <Line label="GPU worker" detail={worker} />
            <p class="status-line">
                <Dot mood={serving ? 'good' : serving === null ? 'warn' : 'unknown'} />
                <span class="status-text">
                    {serving
                        ? <>Serving <a href={href('/models', {}, { model: serving.version })}>{serving.version}</a></>
                        : serving === null ? 'No model serves yet' : 'Model: unknown'}
                </span>
            </p>
        </div>
    );
}

function Line({ label, detail }: { label: string; detail: string | undefined }) {
    const mood = detail === undefined ? 'unknown' : detail === 'ok' ? 'good' : 'bad';
    return (
        <p class="status-line">
            <Dot mood={mood} />
            <span class="status-text">{label}: {detail ?? 'unknown'}</span>
        </p>
    );
}

const Dot = ({ mood }: { mood: Mood }) => <span class={`dot dot-${mood}`} aria-hidden="true" />;
