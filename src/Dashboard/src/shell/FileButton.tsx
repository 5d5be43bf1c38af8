import { offered } from './uploads';

/** Chooses images to ask about or to upload: what dropping them on the page does. */
export function FileButton({ prefix }: { prefix: string }) {
    return (
        <label class="button primary-button">
            Upload or ask
            <input type="file" class="sr-only" accept="image/*" multiple onChange={event => {
                const files = [...event.currentTarget.files ?? []];
                event.currentTarget.value = '';
                if (files.length > 0) offered.value = { files, prefix };
            }} />
        </label>
    );
}
