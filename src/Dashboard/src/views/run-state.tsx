import type { ComponentChildren } from 'preact';
import { useApi } from '../api/polling';
import type { Schemas } from '../api/schema';
import { View } from '../components/View';
import { href, place } from '../shell/router';

export type RunView = Schemas['RunView'];

/** True for a run that does nothing any more. */
export const hasEnded = (run: RunView): boolean => ['Completed', 'Failed', 'Terminated'].includes(run.runtimeStatus);

/** Seconds from a run's acceptance to its end, or until now. */
export const secondsOf = (run: RunView, now = Date.now()): number =>
    ((hasEnded(run) ? Date.parse(run.lastUpdatedAt) : now) - Date.parse(run.createdAt)) / 1000;

/** Polls the state of a run until it has ended. */
export const useRun = (run: string) => useApi('/api/runs/{run}', { path: { run } }, view => (hasEnded(view) ? undefined : 3000));

const moods: Record<string, string> = { Completed: 'good', Failed: 'bad', Running: 'accent', Suspended: 'warn' };
const words: Record<string, string> = { Terminated: 'cancelled' };

/** Runtime status of a run or another orchestration. */
export function StatusBadge({ status }: { status: string }) {
    const mood = moods[status];
    return <span class={`badge${mood ? ` badge-${mood}` : ''}`}>{words[status] ?? status.toLowerCase()}</span>;
}

const pages = [
    { route: '/runs/{run}', label: 'Training' },
    { route: '/runs/{run}/gallery', label: 'Gallery' },
    { route: '/runs/{run}/errors', label: 'Errors' },
    { route: '/runs/{run}/timeline', label: 'Timeline' },
];

interface Props {
    run: string;
    title: string;
    actions?: ComponentChildren;
    subtitle?: ComponentChildren;
    children: ComponentChildren;
}

/** Frame of the views of a run, with links between them. */
export function RunFrame({ run, title, actions, subtitle, children }: Props) {
    return (
        <View title={title} parent={{ label: 'Runs', href: href('/runs') }} actions={actions} subtitle={subtitle}>
            <nav class="subnav" aria-label={`Views of ${run}`}>
                <ul>
                    {pages.map(({ route, label }) => {
                        const link = href(route, { run });
                        const isHere = link === `#${place.value.path}`;
                        return <li key={route}><a href={link} aria-current={isHere ? 'page' : undefined}>{label}</a></li>;
                    })}
                </ul>
            </nav>
            {children}
        </View>
    );
}
