/** For the `ref` of a form that takes the place of the button which opened it: the first field takes the focus from there. */
export const focusFirstField = (form: HTMLFormElement | null): void => form?.querySelector('input')?.focus();
