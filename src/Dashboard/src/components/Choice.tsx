import { useId } from 'preact/hooks';

interface Props<T extends string> {
    label: string;
    options: readonly T[];
    selected: T;
    /** Name of an option for people; the option itself when left out. */
    name?: (option: T) => string;
    onSelect: (option: T) => void;
}

/** One of a few, all of them in sight: radio buttons in a row. */
export function Choice<T extends string>({ label, options, selected, name = option => option, onSelect }: Props<T>) {
    const id = useId();
    return (
        <fieldset class="choice">
            <legend class="sr-only">{label}</legend>
            {options.map(option => (
                <label key={option}>
                    <input type="radio" name={id} checked={option === selected} onChange={() => onSelect(option)} /> {name(option)}
                </label>
            ))}
        </fieldset>
    );
}
