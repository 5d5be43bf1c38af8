import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ApiError, noResponse } from '../src/api/errors';
import { isConnectionLost, Poll } from '../src/api/polling';

let isHidden = false;
let poll: Poll<number>;

beforeEach(() => {
    vi.useFakeTimers();
    isHidden = false;
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden });
});

afterEach(() => {
    poll.stop();
    vi.useRealTimers();
});

const setHidden = (value: boolean): void => {
    isHidden = value;
    document.dispatchEvent(new Event('visibilitychange'));
};

const start = (load: (signal: AbortSignal) => Promise<number>, interval: ConstructorParameters<typeof Poll<number>>[1] = 1000) => {
    poll = new Poll(load, interval);
    poll.start();
};

test('A poll reads at once and then at its interval', async () => {
    let n = 0;
    start(async () => ++n);
    await vi.advanceTimersByTimeAsync(0);
    expect(poll.value.value).toBe(1);
    await vi.advanceTimersByTimeAsync(3000);
    expect(poll.value.value).toBe(4);
});

test('A value may end the poll', async () => {
    const load = vi.fn(async () => 1);
    start(load, () => undefined);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(load).toHaveBeenCalledTimes(1);
});

test('A hidden tab does not read, and catches up when it is shown', async () => {
    const load = vi.fn(async () => 1);
    start(load);
    await vi.advanceTimersByTimeAsync(0);
    setHidden(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(load).toHaveBeenCalledTimes(1);
    setHidden(false);
    await vi.advanceTimersByTimeAsync(0);
    expect(load).toHaveBeenCalledTimes(2);
});

test('An error keeps the value, slows the poll down, and is forgotten after a success', async () => {
    let isDown = false;
    const load = vi.fn(async () => {
        if (isDown) throw noResponse('away');
        return 7;
    });
    start(load);
    await vi.advanceTimersByTimeAsync(0);
    isDown = true;
    await vi.advanceTimersByTimeAsync(1000);
    expect([poll.value.value, poll.error.value?.message, isConnectionLost()]).toEqual([7, 'away', true]);
    await vi.advanceTimersByTimeAsync(1999);
    expect(load).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(load).toHaveBeenCalledTimes(3);
    isDown = false;
    await vi.advanceTimersByTimeAsync(4000);
    expect([poll.error.value, isConnectionLost()]).toEqual([undefined, false]);
});

test('An error never slows the poll down to less than once a minute', async () => {
    const load = vi.fn(async () => { throw noResponse('away'); });
    start(load);
    await vi.advanceTimersByTimeAsync(10 * 60_000);
    const before = load.mock.calls.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(load.mock.calls.length).toBe(before + 1);
});

test('An answer that says when to come back is heeded', async () => {
    const load = vi.fn(async () => { throw new ApiError({ status: 429, title: '', detail: 'busy' }, 30); });
    start(load);
    await vi.advanceTimersByTimeAsync(29_000);
    expect(load).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(load).toHaveBeenCalledTimes(2);
    expect(isConnectionLost()).toBe(false);
});

test('A poll that is stopped aborts its request and reads no more', async () => {
    let seen: AbortSignal | undefined;
    start(signal => {
        seen = signal;
        return new Promise(() => undefined);
    });
    await vi.advanceTimersByTimeAsync(0);
    poll.stop();
    expect(seen!.aborted).toBe(true);
});
