import { get } from '../../api/client';
import type { Schemas } from '../../api/schema';

/** Confidence below which an answer is worth a look, unless somebody chooses another. */
export const usualThreshold = 0.6;

export const kinds = ['predicted', 'low', 'waiting', 'rejected', 'failed'] as const;
export type Kind = typeof kinds[number];

/** An uploaded image: with its document, or waiting for one. */
export type Upload = Schemas['PredictionDocument'] | Schemas['WaitingImage'];

export const isWaiting = (upload: Upload): upload is Schemas['WaitingImage'] => !('status' in upload);

/** What a list of uploads is narrowed to. */
export interface Filter {
    kind: Kind;
    prefix: string;
    /** Confidence that counts as low. */
    below: number;
}

export const statusOf = (kind: Kind): Exclude<Kind, 'low'> => kind === 'low' ? 'predicted' : kind;

const pageSize = 200;

/** Reads the first pages of the uploads that pass a filter. A page that has not changed is not sent again. */
export async function readUploads({ kind, prefix, below }: Filter, pages: number, signal: AbortSignal) {
    const uploads: Upload[] = [];
    let continuation: string | undefined;
    for (let page = 0; page < pages; page++) {
        const query = {
            status: statusOf(kind), top: pageSize, ...(prefix && { prefix }), ...(kind === 'low' && { below }),
            ...(continuation && { continuation }),
        };
        const read = await get('/api/predictions', { query }, signal);
        uploads.push(...(read.predictions ?? read.waiting ?? []));
        continuation = read.continuation;
        if (!continuation) break;
    }
    return { uploads, hasMore: continuation !== undefined };
}
