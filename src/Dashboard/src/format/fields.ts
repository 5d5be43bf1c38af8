import type { Schemas } from '../api/schema';
import { formatNumber, none } from './format';

export type FieldValue = Schemas['FieldValue'];
export type FieldKind = Schemas['FieldSummary']['kind'];

/** A field of a product. */
export interface Field {
    name: string;
    kind: FieldKind;
    /** Unit of a number; undefined for none. */
    unit?: string | undefined;
}

/** Something of each field: title, category and price as members, the others by name. */
export interface ByField<T> {
    title?: T | undefined;
    category?: T | undefined;
    price?: T | undefined;
    fields?: Readonly<Record<string, T>> | undefined;
}

/** The fields of a product that are known. */
export type Labels = ByField<FieldValue>;

const kinds = { title: 'text', category: 'category', price: 'number' } as const satisfies Record<string, FieldKind>;

const isOwn = (name: string): name is keyof typeof kinds => Object.hasOwn(kinds, name);

/** What belongs to a field; undefined when it is unknown. */
export const memberOf = <T>(document: ByField<T>, name: string): T | undefined => isOwn(name) ? document[name] : document.fields?.[name];

/** Value of a field; undefined when it is unknown. */
export const valueOf = (labels: Labels, name: string): FieldValue | undefined => memberOf(labels, name);

/** Puts values into the members that documents have for them. */
export function toLabels(values: readonly (readonly [name: string, value: FieldValue])[]): Labels {
    const others = values.filter(([name]) => !isOwn(name));
    return {
        ...Object.fromEntries(values.filter(([name]) => isOwn(name))), ...(others.length > 0 && { fields: Object.fromEntries(others) }),
    };
}

/** Names of fields: title, category and price, then all others of the documents in the order of their first appearance. */
export const namesOf = (...documents: readonly ({ fields?: Readonly<Record<string, unknown>> | undefined } | undefined)[]): string[] =>
    [...new Set([...Object.keys(kinds), ...documents.flatMap(document => Object.keys(document?.fields ?? {}))])];

/** Names and values of the fields that are known. */
export const known = <T>(document: ByField<T>): [name: string, value: T][] =>
    namesOf(document).flatMap(name => {
        const value = memberOf(document, name);
        return value === undefined ? [] : [[name, value] as [string, T]];
    });

/** Kind of a field, as far as a value tells it: a text may be a category. */
export const kindOf = (name: string, value: FieldValue | undefined): FieldKind =>
    isOwn(name) ? kinds[name] : typeof value === 'number' ? 'number' : Array.isArray(value) ? 'list' : 'text';

/** `Country of origin`, of `countryOfOrigin`. */
export const labelOf = (name: string): string =>
    name[0]!.toUpperCase() + name.slice(1).replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`);

/** Text between two items of a list. */
const separator = '; ';

/** Value of a field as a text. */
export const formatValue = (value: FieldValue | undefined, unit?: string): string =>
    value === undefined ? none
        : typeof value === 'number' ? formatNumber(value) + (unit ? ` ${unit}` : '')
            : Array.isArray(value) ? value.join(separator) : value;

/** Value of a field as a text to edit. */
export const editedValue = (value: FieldValue | undefined): string => Array.isArray(value) ? value.join(separator) : String(value ?? '');

/** Value of an edited text; undefined when it is empty. */
export function parseValue(kind: FieldKind, text: string): FieldValue | undefined {
    if (text.trim() === '') return undefined;
    switch (kind) {
        case 'number': return Number(text);
        case 'list': return text.split(separator.trim()).map(item => item.trim()).filter(Boolean);
        default: return text.trim();
    }
}
