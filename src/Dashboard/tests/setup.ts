import { render } from 'preact';
import { afterEach, vi } from 'vitest';
import { forgetResponses } from '../src/api/client';
import { forgetKey } from '../src/api/key';

// No layout, so that everything counts as on the screen.
vi.stubGlobal('IntersectionObserver', class {
    constructor(private readonly changed: (changes: { isIntersecting: boolean }[]) => void) {}
    observe(): void { this.changed([{ isIntersecting: true }]); }
    disconnect(): void { /* nothing is observed */ }
});

afterEach(() => {
    render(null, document.body);
    document.body.replaceChildren();
    forgetKey();
    forgetResponses();
    history.replaceState(null, '', '#/');
});
