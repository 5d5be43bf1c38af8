import { formatValue, labelOf, type Labels, namesOf, valueOf } from '../format/fields';

/** Values of all fields, those that are unknown included. */
export function FieldFacts({ of, class: className = '' }: { of: Labels; class?: string }) {
    return (
        <dl class={`facts ${className}`}>
            {namesOf(of).map(name => <><dt>{labelOf(name)}</dt><dd>{formatValue(valueOf(of, name))}</dd></>)}
        </dl>
    );
}
