import { compareWords, type WordRun } from './words';
import './charts.css';

/** An answer with the words marked that differ from the truth: `<ins>` for those it adds, `<del>` for those it lacks. */
export function AnswerDiff({ answer, truth }: { answer: string; truth: string }) {
    if (answer === '') return <span class="muted">no answer</span>;
    return (
        <span class="answer-diff">
            {compareWords(answer, truth).map((run, i) => <>{i > 0 && ' '}<Run key={i} run={run} /></>)}
        </span>
    );
}

// Screen readers announce neither element by themselves.
function Run({ run }: { run: WordRun }) {
    switch (run.kind) {
        case 'added': return <ins><span class="sr-only">wrong: </span>{run.text}</ins>;
        case 'missing': return <del><span class="sr-only">missing: </span>{run.text}</del>;
        default: return <span>{run.text}</span>;
    }
}
