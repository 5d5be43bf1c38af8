import { Freshness } from '../components/Freshness';
import { Loaded } from '../components/Loaded';
import { Time } from '../components/Time';
import type { ViewProps } from '../shell/router';
import { Course, useTimeline } from './course';
import { RunFrame, StatusBadge, useRun } from './run-state';
import './runs.css';

/** Timeline of a run's orchestration. */
export default function RunTimeline({ params }: ViewProps) {
    const name = params['run']!;
    const timeline = useTimeline(name);
    const value = timeline.value.value;
    // A run can fail although none of its calls has: the GPU job's failure is a result that it reads.
    const error = useRun(name).value.value?.error;
    return (
        <RunFrame run={name} title={`Timeline of ${name}`}
            subtitle={value && (
                <>
                    <StatusBadge status={value.runtimeStatus} /> started <Time at={value.createdAt} />
                    {value.endedAt === undefined && <>. <Freshness of={timeline} /></>}
                </>
            )}>
            {error && <p class="box box-bad break">{error}</p>}
            <Loaded from={timeline}>{value => (
                <div class="card">
                    <p class="hint timeline-keys">
                        Bars are activities and sub-orchestrations, from their scheduling to their end; dashed lines are waiting. A number
                        is an attempt, ✕ a failure.
                    </p>
                    <Course timeline={value} />
                </div>
            )}
            </Loaded>
        </RunFrame>
    );
}
