import { defineConfig } from 'vitest/config';
import { compress } from './compress.ts';
import { runSchema } from './run-schema.ts';

// Of the Functions app of ./pipeline up, for a page that is served by Vite while it is worked on.
const app = 'http://127.0.0.1:7071';
const output = 'obj/dist';

export default defineConfig(({ command }) => ({
    // Relative, so that the page works under every route prefix; Vite's own server needs the prefix that the page finds the API by.
    base: command === 'build' ? './' : '/api/dashboard/',
    build: {
        outDir: output,
        emptyOutDir: true,
        // The first with light-dark() and content-visibility.
        target: ['chrome125', 'firefox128', 'safari18'],
        // An inlined asset or script would need exceptions in the content security policy.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: false,
    },
    plugins: [compress(output), runSchema('../../docs/openapi.json')],
    server: { proxy: { '^/api/(?!dashboard)': app } },
    test: {
        environment: 'happy-dom',
        environmentOptions: { happyDOM: { url: 'http://localhost/api/dashboard/index.html' } },
        setupFiles: 'tests/setup.ts',
        include: ['tests/**/*.test.{ts,tsx}'],
        // Otherwise a style sheet that a test imports as a text is empty.
        css: { include: /charts\.css|styles\.css/ },
        restoreMocks: true,
        unstubGlobals: true,
    },
}));
