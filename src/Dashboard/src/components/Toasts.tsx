import { signal } from '@preact/signals';
import { toError } from '../api/errors';

interface Toast {
    id: number;
    text: string;
    isError: boolean;
}

const toasts = signal<readonly Toast[]>([]);
const shownFor = 6000;
let last = 0;

/** Tells that something was done, or was not. Errors stay until they are dismissed. */
export function notify(text: string, isError = false): void {
    const id = ++last;
    toasts.value = [...toasts.value.slice(-3), { id, text, isError }];
    if (!isError) setTimeout(() => dismiss(id), shownFor);
}

/** Does what a button asks for, and tells how it went. */
export async function attempt(action: () => Promise<unknown>, done?: string): Promise<boolean> {
    try {
        await action();
        if (done) notify(done);
        return true;
    } catch (e) {
        notify(toError(e).message, true);
        return false;
    }
}

const dismiss = (id: number): void => {
    toasts.value = toasts.value.filter(toast => toast.id !== id);
};

/** The messages of the moment, in a live region that screen readers read out. */
export function Toasts() {
    return (
        <div class="toasts" role="status" aria-live="polite">
            {toasts.value.map(toast => (
                <div key={toast.id} class={toast.isError ? 'toast toast-bad' : 'toast'}>
                    <span>{toast.text}</span>
                    <button type="button" class="quiet" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>✕</button>
                </div>
            ))}
        </div>
    );
}
