import { useId } from 'preact/hooks';
import type { Schemas } from '../api/schema';
import { type FieldEntry, suggestField, templateOf, withUnits } from './new-run-settings';

const kinds = ['text', 'category', 'number', 'list'] as const;

interface Props {
    fields: readonly FieldEntry[];
    /** Columns of the dataset that have no role. */
    columns: readonly Schemas['ColumnInfo'][];
    /** Answer template that was entered. */
    template: string | undefined;
    /** First error of a member or of what is in it. */
    errorIn: (path: string) => string | undefined;
    set: (fields: readonly FieldEntry[]) => void;
}

/** Fields that the model learns besides title, category and price, chosen from the columns. */
export function FurtherFields({ fields, columns, template, errorIn, set }: Props) {
    const offered = columns.filter(({ name }) => fields.every(({ column }) => column !== name));
    return (
        <section class="form" aria-label="Further fields">
            <h3>Further fields</h3>
            {fields.map((field, i) => (
                <FieldRow key={field.column} field={field} error={errorIn(`dataset.columns.fields.${field.name}`)
                    ?? (fields.some((other, j) => j !== i && other.name === field.name) ? 'Another field has this name.' : undefined)}
                    set={changes => set(fields.with(i, { ...field, ...changes }))} remove={() => set(fields.toSpliced(i, 1))} />
            ))}
            {offered.length > 0 && (
                <div class="actions">
                    {offered.map(column => (
                        <button key={column.name} type="button" onClick={() => set([...fields, suggestField(column)])}>
                            Add {column.name}
                        </button>
                    ))}
                </div>
            )}
            <p class="hint">The model learns answers like <code class="break">{withUnits(template || templateOf(fields), fields)}</code></p>
        </section>
    );
}

interface RowProps {
    field: FieldEntry;
    error: string | undefined;
    set: (changes: Partial<FieldEntry>) => void;
    remove: () => void;
}

function FieldRow({ field: { name, column, kind, unit }, error, set, remove }: RowProps) {
    const id = useId();
    return (
        <fieldset class="field-row">
            <legend>Column <code>{column}</code></legend>
            <label class="field">
                <span>Name</span>
                <input value={name} autoComplete="off" spellcheck={false} aria-invalid={error !== undefined} aria-describedby={id}
                    onInput={event => set({ name: event.currentTarget.value })} />
            </label>
            <label class="field">
                <span>Kind</span>
                <select value={kind} onChange={event => set({ kind: event.currentTarget.value as FieldEntry['kind'], unit: '' })}>
                    {kinds.map(one => <option key={one} value={one}>{one}</option>)}
                </select>
            </label>
            {kind === 'number' && (
                <label class="field">
                    <span>Unit</span>
                    <input value={unit} placeholder="none" autoComplete="off" onInput={event => set({ unit: event.currentTarget.value })} />
                </label>
            )}
            <button type="button" class="quiet" aria-label={`Remove ${column}`} onClick={remove}>✕</button>
            <span id={id} class="field-error">{error}</span>
        </fieldset>
    );
}
