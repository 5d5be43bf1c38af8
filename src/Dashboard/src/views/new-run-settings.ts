import schemas from 'virtual:run-schema';
import type { Schemas } from '../api/schema';
import type { FieldKind } from '../format/fields';
import { flatten } from './compare-settings';

/** A member of a run's request, as the API describes it. */
export interface Setting {
    /** Path in the request, such as `training.lora.rank`. */
    path: string;
    label: string;
    description: string;
    type: 'number' | 'integer' | 'string' | 'boolean' | 'list';
    /** Allowed values; undefined for any. */
    options: readonly string[] | undefined;
    /** Value when the member is left out; undefined when that depends on others. */
    fallback: unknown;
}

/** Entered texts by path; a member without one is left out of the request. */
export type Values = Readonly<Record<string, string>>;

/** A further field as it is entered. */
export interface FieldEntry {
    name: string;
    column: string;
    kind: FieldKind;
    /** Empty for none. */
    unit: string;
}

/** All members of a schema, those of nested ones included. */
function settingsOf(schema: string, prefix: string): Setting[] {
    return Object.entries(schemas[schema]!.properties).flatMap(([name, property]): Setting[] => {
        const path = prefix + name;
        // Entered in a way of its own: the members of a map have no fixed path.
        if (property.additionalProperties) return [];
        if (property.$ref) return settingsOf(property.$ref.split('/').at(-1)!, `${path}.`);
        const type = property.type === 'array' ? 'list' : property.type as Setting['type'];
        return [{
            path, type, description: property.description ?? '', fallback: property.default,
            options: type === 'boolean' ? ['true', 'false'] : property.enum,
            label: path.replace(/^\w+\./, '').replaceAll('.', ': ').replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`),
        }];
    });
}

/** Every member of a run's request. */
export const settings: readonly Setting[] = settingsOf('RunRequest', '');

const byPath = new Map(settings.map(setting => [setting.path, setting]));

/** The member at a path of the request. */
export function setting(path: string): Setting {
    const found = byPath.get(path);
    if (!found) throw new Error(`A run's request has no member ${path}.`);
    return found;
}

/** Members whose path begins like this, in their order. */
export const settingsUnder = (prefix: string): Setting[] => settings.filter(({ path }) => path.startsWith(prefix));

/** Value of a member as a text; lists are separated by commas. */
export const textOf = (value: unknown): string => (Array.isArray(value) ? value.join(', ') : String(value));

// A text that is no number stays a text, which the API refuses with the reason.
function parse({ type }: Setting, text: string): unknown {
    switch (type) {
        case 'number':
        case 'integer': {
            const number = Number(text);
            return text.trim() !== '' && Number.isFinite(number) ? number : text;
        }
        case 'boolean': return text === 'true';
        case 'list': return text.split(',').map(item => item.trim()).filter(Boolean);
        default: return text;
    }
}

/** Makes the request from what was entered. */
export function requestOf(values: Values, fields: readonly FieldEntry[] = []): Record<string, unknown> {
    const request: Record<string, unknown> = {};
    const put = (path: string, value: unknown) => {
        const names = path.split('.');
        let parent = request;
        for (const name of names.slice(0, -1)) parent = (parent[name] ??= {}) as Record<string, unknown>;
        parent[names.at(-1)!] = value;
    };
    for (const setting of settings) {
        const text = values[setting.path];
        if (text !== undefined && text !== '') put(setting.path, parse(setting, text));
    }
    if (fields.length > 0) {
        put('dataset.columns.fields', Object.fromEntries(fields.map(({ name, column, kind, unit }) =>
            [name, { column, kind, ...(unit && { unit }) }])));
    }
    return request;
}

/** Further fields of a column mapping. */
export const fieldsOf = (columns: Schemas['ColumnMapping'] | undefined): FieldEntry[] =>
    Object.entries(columns?.fields ?? {}).map(([name, { column, kind = 'text', unit = '' }]) => ({ name, column, kind, unit }));

/** Suggests a column as a further field, with the kind of its type. */
export function suggestField({ name: column, type, feature = '' }: Schemas['ColumnInfo']): FieldEntry {
    const [first = 'field', ...others] = column.toLowerCase().replace(/^[^a-z]+/, '').split(/[^a-z0-9]+/).filter(Boolean);
    const kind = feature.startsWith('ClassLabel') || type === 'bool' ? 'category'
        : /^(u?int|float|double|halffloat|decimal)/.test(type) ? 'number'
            : type.startsWith('list') ? 'list' : 'text';
    return { name: first + others.map(word => word[0]!.toUpperCase() + word.slice(1)).join(''), column, kind, unit: '' };
}

/** The answer template that a run gets when none is entered: the default one, followed by the further fields. */
export const templateOf = (fields: readonly FieldEntry[]): string => String(setting('training.answerTemplate').fallback)
    + fields.map(({ name }) => `, ${name.slice(0, 1).toUpperCase()}${name.slice(1)}: {${name}}`).join('');

/** A template with the units that follow its numbers. */
export const withUnits = (template: string, fields: readonly FieldEntry[]): string =>
    fields.reduce((text, { name, unit }) => unit ? text.replace(`{${name}}`, `{${name}} ${unit}`) : text, template);

/** What must be entered to make a request again: members that differ from their defaults, without the name of the run. */
export function valuesOf(request: unknown): Values {
    const values: Record<string, string> = {};
    for (const [path, value] of flatten(request)) {
        const known = byPath.get(path);
        if (!known || path === 'run' || value === null || JSON.stringify(value) === JSON.stringify(known.fallback)) continue;
        values[path] = textOf(value);
    }
    return values;
}

/** The request as a command for a shell, with a placeholder for the key. */
export function curlOf(url: string, request: unknown): string {
    const body = JSON.stringify(request, null, 2).replaceAll("'", "'\\''");
    return `curl -X POST '${url}' \\\n  -H 'Content-Type: application/json' \\\n  -H 'x-functions-key: …' \\\n  -d '${body}'`;
}
