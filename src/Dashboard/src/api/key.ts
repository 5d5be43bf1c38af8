import { signal } from '@preact/signals';

const stored = 'functions-key';

/** Question for the function key, shown by the shell while it is not null. */
export interface KeyQuestion {
    /** Key that the API has refused; undefined when none was sent. */
    refused: string | undefined;
    answer(key: string | undefined): void;
}

export const keyQuestion = signal<KeyQuestion | null>(null);

/** True after the question was dismissed: polls then fail quietly until the key is asked for by hand. */
export const keyDeclined = signal(false);

let pending: Promise<string | undefined> | null = null;

/** Returns the key of this session. It is kept in the tab, never in a URL. */
export const currentKey = (): string | undefined => sessionStorage.getItem(stored) ?? undefined;

/** Asks for the key, once for all requests that need it. Resolves to undefined when the question is or was dismissed. */
export function askForKey(): Promise<string | undefined> {
    if (keyDeclined.value) return Promise.resolve(undefined);
    pending ??= new Promise<string | undefined>(resolve => {
        keyQuestion.value = { refused: currentKey(), answer: resolve };
    }).then(key => {
        keyQuestion.value = null;
        pending = null;
        if (key) sessionStorage.setItem(stored, key);
        else keyDeclined.value = true;
        return key;
    });
    return pending;
}

/** Asks again after the question was dismissed. */
export function askForKeyAgain(): Promise<string | undefined> {
    keyDeclined.value = false;
    return askForKey();
}

/** Forgets the key and any question for it. */
export function forgetKey(): void {
    sessionStorage.removeItem(stored);
    keyDeclined.value = false;
    keyQuestion.value = null;
    pending = null;
}
