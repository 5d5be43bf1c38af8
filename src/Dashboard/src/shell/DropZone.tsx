import { useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { notify } from '../components/Toasts';
import { place } from './router';
import { offered } from './uploads';

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

/** Takes images that are dropped or pasted anywhere on the page, and opens the dialog about them. */
export function DropZone() {
    const [isOver, setOver] = useState(false);
    const dialog = useSignal<ComponentType | undefined>(undefined);
    useEffect(() => {
        // Entering a child comes before leaving its parent.
        let depth = 0;
        const listeners = new AbortController();
        const on = <K extends 'dragenter' | 'dragover' | 'dragleave' | 'drop'>(type: K, handle: (event: DragEvent) => void) =>
            window.addEventListener(type, event => {
                if (!hasFiles(event)) return;
                event.preventDefault();
                handle(event);
            }, { signal: listeners.signal });
        on('dragenter', () => setOver(++depth > 0));
        on('dragleave', () => setOver(--depth > 0));
        on('dragover', () => undefined);
        on('drop', event => {
            depth = 0;
            setOver(false);
            offer(event.dataTransfer!.files);
        });
        window.addEventListener('paste', event => {
            if (event.clipboardData?.files.length) offer(event.clipboardData.files);
        }, { signal: listeners.signal });
        return () => listeners.abort();
    }, []);
    // A link in the dialog leads away from it.
    useEffect(() => { offered.value = null; }, [place.value.path]);
    const isOpen = offered.value !== null;
    useEffect(() => {
        if (isOpen && !dialog.value) {
            import('../views/offer').then(
                loaded => { dialog.value = loaded.default; },
                () => {
                    offered.value = null;
                    notify('This part of the page cannot be loaded. If the app was deployed anew, reload the page.', true);
                });
        }
    }, [isOpen]);
    const Offer = dialog.value;
    return (
        <>
            {isOver && <div class="drop-hint" aria-hidden="true"><span>Drop images to ask the model or to upload them</span></div>}
            {isOpen && Offer && <Offer />}
        </>
    );
}

function offer(list: FileList): void {
    const files = [...list].filter(file => file.type.startsWith('image/') || file.type === '');
    if (files.length === 0) notify('Only images can be read.', true);
    else offered.value = { files, prefix: place.value.path === '/uploads' ? place.value.query.get('prefix') ?? '' : '' };
}
