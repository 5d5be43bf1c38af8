import type { ComponentChildren } from 'preact';
import type { ApiError } from '../api/errors';
import { askForKeyAgain } from '../api/key';

/** Shows an error with its reason and, where there is one, the way out. */
export function ErrorBox({ error, retry, children }: { error: ApiError; retry?: () => void; children?: ComponentChildren }) {
    const withKey = async () => {
        if (await askForKeyAgain()) retry?.();
    };
    return (
        <div class="box box-bad" role="alert">
            <p><strong>{error.title}</strong></p>
            <p>{error.message}</p>
            {error.fields.size > 1 && (
                <ul>{[...error.fields].map(([field, message]) => <li key={field}><code>{field}</code> {message}</li>)}</ul>
            )}
            {children}
            <div class="actions">
                {error.status === 401 && <button type="button" onClick={() => void withKey()}>Enter the key</button>}
                {retry && error.status !== 401 && <button type="button" onClick={retry}>Try again</button>}
            </div>
        </div>
    );
}
