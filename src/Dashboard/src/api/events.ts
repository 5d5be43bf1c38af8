/** An event of a `text/event-stream`. */
export interface ServerEvent {
    event: string;
    data: string;
}

/** Reads the events of a response as they come (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
    const reader = body.getReader();
    // One for all chunks: a letter of several bytes may be cut by their border.
    const decoder = new TextDecoder();
    let buffer = '';
    try {
        for (;;) {
            const { done, value } = await reader.read();
            buffer += decoder.decode(value, { stream: !done });
            const blocks = buffer.replaceAll('\r\n', '\n').split('\n\n');
            buffer = blocks.pop()!;
            for (const block of blocks) {
                const event = parse(block);
                if (event) yield event;
            }
            if (done) return;
        }
    } finally {
        await reader.cancel();
    }
}

function parse(block: string): ServerEvent | null {
    let event = 'message';
    const data: string[] = [];
    for (const line of block.split('\n')) {
        const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
        if (name === 'event') event = value!;
        if (name === 'data') data.push(value!);
    }
    // A block without data is a comment that keeps the connection open.
    return data.length > 0 ? { event, data: data.join('\n') } : null;
}
