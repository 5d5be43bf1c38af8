import { useState } from 'preact/hooks';
import { type KeyQuestion } from '../api/key';
import { Dialog } from '../components/Dialog';

/** Asks for the function key of the API. */
export function KeyDialog({ question }: { question: KeyQuestion }) {
    const [key, setKey] = useState('');
    return (
        <Dialog title="The API needs its key" onClose={() => question.answer(undefined)}>
            <form class="form" onSubmit={event => {
                event.preventDefault();
                question.answer(key.trim() || undefined);
            }}>
                {question.refused && <p class="bad-text" role="alert">The API does not accept the key of this session.</p>}
                <p>
                    In Azure, the portal's page <em>App keys</em> of the Functions app has it; the host of another machine prints it
                    when it starts. It is kept in this browser tab, and sent to this app only.
                </p>
                <label class="field">
                    <span>Function key</span>
                    {/* A password field: the browser's password manager may keep it, a look over the shoulder shows nothing. */}
                    <input type="password" name="key" autocomplete="current-password" required value={key}
                        onInput={event => setKey(event.currentTarget.value)} />
                </label>
                <div class="actions">
                    <button type="button" onClick={() => question.answer(undefined)}>Not now</button>
                    <button type="submit" class="primary">Use the key</button>
                </div>
            </form>
        </Dialog>
    );
}
