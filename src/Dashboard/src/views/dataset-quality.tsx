import type { Schemas } from '../api/schema';
import { formatInteger } from '../format/format';
import { DatasetImage } from './dataset-image';

type Warning = Schemas['QualityWarning'];
type Pair = Schemas['NearDuplicate'];

/** Path of the dataset's images; undefined before they are stored. */
type ImagePath = { owner: string; name: string } | undefined;

/** Defects of a dataset that spoil training although every row is usable. */
export function Quality({ path, warnings }: { path?: ImagePath; warnings: readonly Warning[] }) {
    if (warnings.length === 0) return null;
    return (
        <section class="stack" aria-labelledby="quality">
            <h2 id="quality">Quality</h2>
            {warnings.map(warning => <WarningBox key={warning.kind} path={path} warning={warning} />)}
        </section>
    );
}

function WarningBox({ path, warning: { kind, message, count, examples = [], pairs = [] } }: { path: ImagePath; warning: Warning }) {
    return (
        <div class="box box-warn">
            <p><strong>{kind.replaceAll('-', ' ')}</strong> <span class="badge badge-warn">{formatInteger(count)}</span></p>
            <p class="break">{message}</p>
            {examples.length > 0 && (
                <p class="small break">Such as {examples.map((example, i) => <>{i > 0 && ', '}<code>{example}</code></>)}.</p>
            )}
            {pairs.length > 0 && (
                <ul class="pairs">
                    {pairs.map(pair => <PairItem key={`${pair.first} ${pair.second}`} path={path} pair={pair} />)}
                </ul>
            )}
        </div>
    );
}

function PairItem({ path, pair }: { path: ImagePath; pair: Pair }) {
    const side = (row: string, split: string, sha256: string) => (
        <figure>
            {path && <DatasetImage class="pair-image" path={path} sha256={sha256} width={320} alt={`Image of ${row}`} />}
            <figcaption class="small break"><code>{row}</code> in {split}</figcaption>
        </figure>
    );
    return (
        <li class="card">
            <div class="pair">
                {side(pair.first, pair.firstSplit, pair.firstSha256)}
                {side(pair.second, pair.secondSplit, pair.secondSha256)}
            </div>
            <p class="small muted">{pair.distance === 0 ? 'Look the same' : `Differ in ${pair.distance} of 64 bits`}</p>
        </li>
    );
}
