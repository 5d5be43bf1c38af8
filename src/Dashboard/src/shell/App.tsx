import { useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { noResponse, type ApiError } from '../api/errors';
import { keyQuestion } from '../api/key';
import { Empty } from '../components/Empty';
import { ErrorBox } from '../components/ErrorBox';
import { Loading } from '../components/Loaded';
import { Toasts } from '../components/Toasts';
import { View } from '../components/View';
import { DropZone } from './DropZone';
import { KeyDialog } from './KeyDialog';
import { href, matchRoute, place, type ViewProps } from './router';
import { navigation, type RouteEntry, routes } from './routes';
import { Status } from './Status';
import { theme, toggleTheme } from './theme';

/** The page: navigation, state of the services, and the view of the place in the URL. */
export function App() {
    const { path, query } = place.value;
    const target = path === '/' ? routes[0]!.route : path;
    const found = routes.map(entry => ({ entry, params: matchRoute(entry.route, target) })).find(({ params }) => params);
    const skip = (event: Event) => {
        // The hash is the place in the page, so that the link cannot do this by itself.
        event.preventDefault();
        document.querySelector<HTMLElement>('main h1')?.focus();
    };
    return (
        <>
            <a class="skip" href="#main" onClick={skip}>Skip to the content</a>
            <header class="side">
                <p class="brand"><span class="brand-mark" aria-hidden="true" />FunctionsPipeline</p>
                <nav aria-label="Views">
                    <ul>{navigation.map(({ label, route }) => (
                        <li key={route}>
                            <a href={href(route)} aria-current={found?.entry.section === route ? 'page' : undefined}>{label}</a>
                        </li>
                    ))}
                    </ul>
                </nav>
                <Status />
                <button type="button" class="quiet theme" onClick={toggleTheme}>
                    {theme() === 'dark' ? 'Light theme' : 'Dark theme'}
                </button>
            </header>
            <main id="main">
                {found?.params
                    // A key, so that another run or image begins with a fresh view.
                    ? <LazyView key={target} entry={found.entry} params={found.params} query={query} />
                    : <NotFound path={path} />}
            </main>
            <DropZone />
            <Toasts />
            {keyQuestion.value && <KeyDialog question={keyQuestion.value} />}
        </>
    );
}

function LazyView({ entry, ...props }: ViewProps & { entry: RouteEntry }) {
    const view = useSignal<ComponentType<ViewProps> | undefined>(undefined);
    const error = useSignal<ApiError | undefined>(undefined);
    const load = () => {
        error.value = undefined;
        // The chunks of an older page are gone after a deployment.
        entry.load().then(
            loaded => { view.value = loaded.default; },
            () => { error.value = noResponse('This part of the page cannot be loaded. If the app was deployed anew, reload the page.'); });
    };
    useEffect(load, [entry]);
    const Loaded = view.value;
    if (Loaded) return <Loaded {...props} />;
    return error.value ? <ErrorBox error={error.value} retry={load} /> : <Loading />;
}

function NotFound({ path }: { path: string }) {
    return (
        <View title="Not found">
            <Empty title={`This page has no view ${path}.`}>
                <p><a href={href(routes[0]!.route)}>Go to {navigation[0]!.label.toLowerCase()}</a></p>
            </Empty>
        </View>
    );
}
