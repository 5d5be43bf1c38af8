// Builds the page for MSBuild: one build at a time, and only what has changed. Needs nothing but Node.js.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

process.chdir(import.meta.dirname ?? new URL('.', import.meta.url).pathname);
const stamp = 'obj/built';
const installed = 'node_modules/.installed';
// Of a build, in milliseconds.
const longest = 10 * 60_000;

function fail(message) {
    // In the form that MSBuild reads as an error.
    console.error(`src/Dashboard : error DASHBOARD: ${message}`);
    process.exit(1);
}

function npm(...args) {
    const { error, status } = spawnSync('npm', args, { stdio: 'inherit', shell: process.platform === 'win32' });
    if (error) fail(`npm cannot be started (${error.message}). It comes with Node.js (https://nodejs.org).`);
    if (status !== 0) fail(`npm ${args.join(' ')} failed; its reason is above.`);
}

const hash = files => files.reduce((sum, file) => sum.update(file).update(readFileSync(file)), createHash('sha256')).digest('hex');

function filesBelow(folder) {
    return readdirSync(folder, { withFileTypes: true })
        .flatMap(entry => entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)]);
}

const read = file => existsSync(file) ? readFileSync(file, 'utf8') : '';

/** Waits until no other build of this folder is running; one that died does not count. */
async function lock(file) {
    for (;;) {
        try {
            writeFileSync(file, String(process.pid), { flag: 'wx' });
            process.on('exit', () => rmSync(file, { force: true }));
            return;
        } catch (e) {
            if (e.code !== 'EEXIST') throw e;
        }
        try {
            const holder = Number(read(file));
            if (holder) process.kill(holder, 0);
            // Another process may have the id of one that died.
            if (Date.now() - statSync(file).mtimeMs > longest) throw new Error('The lock is stale.');
        } catch {
            rmSync(file, { force: true });
        }
        await sleep(200);
    }
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) fail(`needs Node.js 20.19 or newer; this is ${process.version}.`);

mkdirSync('obj', { recursive: true });
await lock('obj/lock');
const lockFile = hash(['package-lock.json']);
const settings = [
    'package.json', 'package-lock.json', 'tsconfig.json', 'vite.config.ts', 'compress.ts', 'run-schema.ts', '.oxlintrc.json', 'index.html',
];
const sources = hash([...settings, ...filesBelow('src').toSorted(), '../../docs/openapi.json']);
if (read(stamp) !== sources || !existsSync('obj/dist/index.html')) {
    if (read(installed) !== lockFile) {
        npm('ci', '--no-audit', '--no-fund');
        writeFileSync(installed, lockFile);
    }
    npm('run', '--silent', 'build');
}
// Also where nothing has changed: MSBuild compares times.
writeFileSync(stamp, sources);
