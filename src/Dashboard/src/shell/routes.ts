import type { ComponentType } from 'preact';
import type { ViewProps } from './router';

/** A view: a chunk of its own, which is loaded when somebody goes there. */
export interface RouteEntry {
    /** Path after `#`, such as `/runs/{run}`. */
    route: string;
    /** Entry of the navigation that is marked as the current one. */
    section: string;
    load: () => Promise<{ default: ComponentType<ViewProps> }>;
}

/** All views. The first whose route fits is shown; the first of all is where the page begins. */
export const routes: readonly RouteEntry[] = [
    { route: '/uploads', section: '/uploads', load: () => import('../views/uploads') },
    { route: '/models', section: '/models', load: () => import('../views/models') },
];

/** Entries of the navigation. */
export const navigation: readonly { label: string; route: string }[] = [
    { label: 'Uploads', route: '/uploads' },
    { label: 'Models', route: '/models' },
];
