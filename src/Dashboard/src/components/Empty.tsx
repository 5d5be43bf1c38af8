import type { ComponentChildren } from 'preact';

/** Stands where there is nothing yet, and says what to do next. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
    return (
        <div class="empty">
            <p class="empty-title">{title}</p>
            {children}
        </div>
    );
}
