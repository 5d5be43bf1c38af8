/** Ways out of a rejection or failure, by its reason: what a person can do about it. */
const ways: Record<string, string> = {
    'out-of-patience': 'The GPU worker did not answer in time. Once it runs and a model serves, read the image again.',
    'breaks-worker': 'The worker died or ran out of time over this image several times. Look at its log, then try again, or upload the '
        + 'image in another size.',
    'too-large': 'Upload the image with fewer bytes, such as a JPEG of lower quality.',
    'too-many-pixels': 'Upload the image scaled down.',
    'bad-shape': 'Upload an image that is neither tiny nor a narrow strip.',
    'empty': 'The file has no bytes: upload it again.',
    'truncated': 'The file ends too early: its upload or an earlier copy was cut off. Upload it again from the original.',
    'corrupt': 'The file is damaged. Upload it again from the original, or save it anew with an image editor.',
    'not-an-image': 'The file is in no format that can be read. Upload it as JPEG, PNG or WebP.',
};

/** Returns the way out of a reason; undefined when there is none but to look at the details. */
export const wayOut = (reason: string | undefined): string | undefined => reason === undefined ? undefined : ways[reason];
