import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

interface Props {
    title: string;
    /** Called for the Escape key, the button with the cross, and a click beside the dialog. */
    onClose: () => void;
    /** Buttons at the bottom. */
    actions?: ComponentChildren;
    isWide?: boolean;
    children: ComponentChildren;
}

/** A modal dialog for as long as it is rendered; the focus then goes back to where it was. */
export function Dialog({ title, onClose, actions, isWide, children }: Props) {
    const dialog = useRef<HTMLDialogElement>(null);
    const id = useId();
    useEffect(() => {
        const before = document.activeElement;
        const element = dialog.current!;
        element.showModal();
        // Of itself it would focus the button that closes it.
        (element.querySelector<HTMLElement>('.dialog-body input') ?? element.querySelector('h2'))!.focus();
        return () => {
            element.close();
            if (before instanceof HTMLElement && before.isConnected) before.focus();
        };
    }, []);
    return (
        // The dialog's own Escape key is the keyboard's way to do what the click does.
        // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions
        <dialog ref={dialog} aria-labelledby={id} class={isWide ? 'wide' : undefined}
            onCancel={event => {
                event.preventDefault();
                onClose();
            }}
            onClick={event => event.target === dialog.current && onClose()}>
            <div class="dialog-box">
                <header class="dialog-head">
                    <h2 id={id} tabIndex={-1}>{title}</h2>
                    <button type="button" class="quiet" aria-label="Close" onClick={onClose}>✕</button>
                </header>
                <div class="dialog-body">{children}</div>
                {actions && <footer class="actions dialog-foot">{actions}</footer>}
            </div>
        </dialog>
    );
}
