import { signal } from '@preact/signals';

/** Counts the changes that this page made to uploads, for lists to read again. */
export const uploadsChanged = signal(0);

/** Files that were dropped, pasted or chosen; the dialog about them is open while there are any. */
export const offered = signal<{ files: readonly File[]; prefix: string } | null>(null);
