import { apiUrl, send } from './client';
import { ApiError } from './errors';
import { readEvents } from './events';
import type { Schemas } from './schema';

/**
 * Asks the model about an image without storing it.
 * @param onText Called with the text generated so far
 */
export async function ask(image: Blob, onText: (text: string) => void, signal: AbortSignal): Promise<Schemas['Prediction']> {
    const response = await send(apiUrl('/api/predict'), {
        method: 'POST', body: image, signal,
        headers: { Accept: 'text/event-stream, application/json', 'Content-Type': image.type || 'application/octet-stream' },
    });
    // An app that does not stream answers all at once.
    if (!response.headers.get('Content-Type')?.startsWith('text/event-stream')) return await response.json() as Schemas['Prediction'];
    let text = '';
    for await (const { event, data } of readEvents(response.body!)) {
        const document: unknown = JSON.parse(data);
        if (event === 'prediction') return document as Schemas['Prediction'];
        if (event === 'problem') throw new ApiError(document as Schemas['Problem']);
        if (event === 'delta') onText(text += (document as { text: string }).text);
    }
    throw new ApiError({ status: 502, title: 'Cut off', detail: 'The answer was cut off. Ask again.' });
}
