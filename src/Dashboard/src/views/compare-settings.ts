/** A setting with its value in each of several documents; undefined where it is left out. */
export interface Difference {
    /** Path of the member, such as `training.learningRate`. */
    path: string;
    values: unknown[];
}

/** Flattens a document to its values by path; lists are values. */
export function flatten(document: unknown, prefix = ''): Map<string, unknown> {
    const values = new Map<string, unknown>();
    if (typeof document !== 'object' || document === null || Array.isArray(document)) return values.set(prefix, document);
    for (const [name, value] of Object.entries(document)) {
        for (const [path, one] of flatten(value, prefix === '' ? name : `${prefix}.${name}`)) values.set(path, one);
    }
    return values;
}

/** Settings that differ between requests, in the order of their first appearance; the runs' own names are no setting. */
export function differences(requests: readonly unknown[]): Difference[] {
    const flat = requests.map(request => flatten(request));
    const paths = new Set(flat.flatMap(values => [...values.keys()]));
    paths.delete('run');
    return [...paths]
        .map(path => ({ path, values: flat.map(values => values.get(path)) }))
        .filter(({ values }) => new Set(values.map(value => JSON.stringify(value))).size > 1);
}

/** Indices of the best values; none when fewer than two are known or all are equal. */
export function bestOf(values: readonly (number | undefined)[], isHigherBetter: boolean): Set<number> {
    const known = values.filter(value => value !== undefined);
    const best = isHigherBetter ? Math.max(...known) : Math.min(...known);
    if (known.length < 2 || known.every(value => value === best)) return new Set();
    return new Set(values.flatMap((value, i) => (value === best ? [i] : [])));
}
