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
    { route: '/uploads', section: '/uploads', load: () => import('../views/uploads/index') },
    { route: '/uploads/{name}', section: '/uploads', load: () => import('../views/upload') },
    { route: '/models', section: '/models', load: () => import('../views/models') },
    { route: '/runs', section: '/runs', load: () => import('../views/runs') },
    { route: '/runs/{run}', section: '/runs', load: () => import('../views/run') },
    { route: '/runs/{run}/gallery', section: '/runs', load: () => import('../views/gallery') },
    { route: '/runs/{run}/errors', section: '/runs', load: () => import('../views/errors') },
    { route: '/runs/{run}/timeline', section: '/runs', load: () => import('../views/timeline') },
    { route: '/compare', section: '/runs', load: () => import('../views/compare') },
    { route: '/new-run', section: '/runs', load: () => import('../views/new-run') },
    { route: '/datasets', section: '/datasets', load: () => import('../views/datasets') },
    { route: '/datasets/{owner}/{name}/{commit}/{view}', section: '/datasets', load: () => import('../views/dataset') },
];

/** Entries of the navigation. */
export const navigation: readonly { label: string; route: string }[] = [
    { label: 'Uploads', route: '/uploads' },
    { label: 'Runs', route: '/runs' },
    { label: 'Datasets', route: '/datasets' },
    { label: 'Models', route: '/models' },
];
