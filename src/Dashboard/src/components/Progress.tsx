/** A bar from 0 to 1; `value` undefined while the end is not known. */
export function Progress({ value, label }: { value?: number | undefined; label: string }) {
    return <progress max={1} {...(value !== undefined && { value })} aria-label={label} />;
}
