import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

const name = 'virtual:run-schema';

/** Provides the JSON schemas of a run's request as a module: the form for a new run is made of them, not of a copy. */
export function runSchema(description: string): Plugin {
    return {
        name: 'run-schema',
        resolveId: source => (source === name ? `\0${name}` : undefined),
        load(id) {
            if (id !== `\0${name}`) return undefined;
            this.addWatchFile(description);
            const all = JSON.parse(readFileSync(description, 'utf8')).components.schemas as Record<string, unknown>;
            const used: Record<string, unknown> = {};
            const add = (schema: string) => {
                if (schema in used) return;
                used[schema] = all[schema];
                for (const [, next] of JSON.stringify(all[schema]).matchAll(/"#\/components\/schemas\/(\w+)"/g)) add(next!);
            };
            add('RunRequest');
            return `export default ${JSON.stringify(used)};`;
        },
    };
}
