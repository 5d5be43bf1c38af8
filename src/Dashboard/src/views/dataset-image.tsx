import { apiUrl } from '../api/client';
import { ApiImage } from '../components/ApiImage';

interface Props {
    path: { owner: string; name: string };
    sha256: string;
    class: string;
    /** Width in pixels at which the image is fetched. */
    width?: number;
    alt?: string;
}

/** An image of a dataset. */
export function DatasetImage({ path: { owner, name }, sha256, class: className, width = 96, alt = '' }: Props) {
    const url = apiUrl('/api/datasets/{owner}/{name}/images/{sha256}', { path: { owner, name, sha256 }, query: { width } });
    return <ApiImage class={className} alt={alt} url={url} />;
}
