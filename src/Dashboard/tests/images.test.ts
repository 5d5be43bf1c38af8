import { expect, test, vi } from 'vitest';
import { takeImage } from '../src/api/images';
import { fakeApi, problem, until } from './fakes';

const url = (i: number): string => `http://localhost/api/images/${i}.jpg`;

test('No more than six images are fetched at once', async () => {
    const waiting: (() => void)[] = [];
    const requests = fakeApi({
        'GET /api/images/': () => new Promise<Response>(resolve => waiting.push(() => resolve(new Response('x')))),
    });
    const taken = Array.from({ length: 9 }, (_, i) => takeImage(url(100 + i)));
    await until(() => requests.length === 6);
    waiting.splice(0, 2).forEach(answer => answer());
    await until(() => requests.length === 8);
    waiting.splice(0).forEach(answer => answer());
    await until(() => requests.length === 9);
    waiting.splice(0).forEach(answer => answer());
    await Promise.all(taken.map(image => image.url));
    taken.forEach(image => image.release());
});

test('An image that is shown twice is fetched once, one that failed again', async () => {
    const requests = fakeApi({ 'GET /api/images/200.jpg': () => new Response('x'), 'GET /api/images/201.jpg': problem(404, 'gone') });
    const [a, b] = [takeImage(url(200)), takeImage(url(200))];
    expect(await a.url).toBe(await b.url);
    expect(requests).toHaveLength(1);
    await expect(takeImage(url(201)).url).rejects.toThrow('gone');
    await expect(takeImage(url(201)).url).rejects.toThrow('gone');
    expect(requests).toHaveLength(3);
});

test('Images that are shown no more are revoked when there are many, those in use never', async () => {
    fakeApi({ 'GET /api/images/': () => new Response('x') });
    const revoke = vi.spyOn(URL, 'revokeObjectURL');
    const kept = takeImage(url(1000));
    const used = await kept.url;
    const first = takeImage(url(1001));
    const unused = await first.url;
    first.release();
    for (let i = 1002; i < 1420; i++) {
        const image = takeImage(url(i));
        await image.url;
        image.release();
    }
    await until(() => revoke.mock.calls.some(([blob]) => blob === unused));
    expect(revoke).not.toHaveBeenCalledWith(used);
});
