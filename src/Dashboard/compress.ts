import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Plugin } from 'vite';

const brotliAsync = promisify(brotliCompress);
const gzipAsync = promisify(gzip);

/** Writes each file of the page once more as `.br` and `.gz`, at the highest level: it is compressed once and served often. */
export const compress = (folder: string): Plugin => ({
    name: 'compress',
    apply: 'build',
    async closeBundle() {
        for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
            if (!entry.isFile()) continue;
            const file = join(entry.parentPath, entry.name);
            const content = await readFile(file);
            const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
            await writeFile(`${file}.br`, await brotliAsync(content, { params }));
            await writeFile(`${file}.gz`, await gzipAsync(content, { level: constants.Z_BEST_COMPRESSION }));
        }
    },
});
