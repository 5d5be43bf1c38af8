import { expect, test } from 'vitest';
import { href, matchRoute, parsePlace, place, setQuery } from '../src/shell/router';
import { navigation, routes } from '../src/shell/routes';

test('A place is the path and the query after the hash', () => {
    const { path, query } = parsePlace('#/compare?runs=a,b');
    expect([path, query.get('runs')]).toEqual(['/compare', 'a,b']);
    expect(parsePlace('').path).toBe('/');
});

test('A route matches segment by segment and decodes', () => {
    expect(matchRoute('/runs/{run}', '/runs/a%20b')).toEqual({ run: 'a b' });
    expect(matchRoute('/runs/{run}', '/runs')).toBeNull();
    expect(matchRoute('/runs/{run}', '/runs/')).toBeNull();
    expect(matchRoute('/runs/{run}', '/runs/a/gallery')).toBeNull();
    expect(matchRoute('/runs/{run}', '/runs/%E0%A4%A')).toBeNull();
});

test('A link and its route are inverse, also for names with slashes', () => {
    const link = href('/uploads/{name}', { name: 'a/b c#?.jpg' }, { show: 'failed', none: undefined });
    const { path, query } = parsePlace(link);
    expect(matchRoute('/uploads/{name}', path)).toEqual({ name: 'a/b c#?.jpg' });
    expect([...query]).toEqual([['show', 'failed']]);
});

test('A change of the query keeps the rest and leaves no step in the history', () => {
    place.value = parsePlace('#/uploads?show=failed&below=0.5');
    const before = history.length;
    setQuery({ prefix: 'a/', below: undefined });
    expect(window.location.hash).toBe('#/uploads?show=failed&prefix=a%2F');
    expect([place.value.query.get('prefix'), place.value.query.get('below')]).toEqual(['a/', null]);
    expect(history.length).toBe(before);
});

test('Every entry of the navigation leads to a view, and every view loads', async () => {
    for (const { route } of navigation) expect(routes.some(entry => matchRoute(entry.route, route))).toBe(true);
    for (const entry of routes) expect((await entry.load()).default, entry.route).toBeTypeOf('function');
});
