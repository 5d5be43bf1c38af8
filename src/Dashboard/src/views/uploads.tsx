import { apiUrl } from '../api/client';
import { useApi } from '../api/polling';
import { ApiImage } from '../components/ApiImage';
import { Empty } from '../components/Empty';
import { Freshness } from '../components/Freshness';
import { Loaded } from '../components/Loaded';
import { View } from '../components/View';
import { WindowedList } from '../components/WindowedList';
import { none } from '../format/format';

/** Uploaded images and what was read in them. */
export default function Uploads() {
    const page = useApi('/api/predictions', { query: { top: 200 } }, 5000);
    return (
        <View title="Uploads" subtitle={<Freshness of={page} />}>
            <Loaded from={page}>{({ predictions = [] }) => predictions.length === 0
                ? <Empty title="No image has been read yet."><p>Upload one to the container <code>product-images</code>.</p></Empty>
                : (
                    <WindowedList label="Uploads" items={predictions} itemKey={document => document.image} itemHeight={64}>
                        {document => (
                            <span class="upload">
                                <ApiImage class="thumb" alt="" url={apiUrl('/api/images/{name}', { path: { name: document.image } })} />
                                <span>{document.title ?? document.reason ?? none}</span>
                            </span>
                        )}
                    </WindowedList>
                )}
            </Loaded>
        </View>
    );
}
