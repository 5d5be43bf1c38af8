import { useApi } from '../api/polling';
import { Empty } from '../components/Empty';
import { Loaded } from '../components/Loaded';
import { Table } from '../components/Table';
import { Time } from '../components/Time';
import { View } from '../components/View';
import { formatSignificant } from '../format/format';

/** Versions of the model, and which of them serves. */
export default function Models() {
    const list = useApi('/api/models', {}, 15_000);
    return (
        <View title="Models">
            <Loaded from={list}>{({ models }) => models.length === 0
                ? <Empty title="There is no model yet." />
                : (
                    <Table caption="Models" rows={models} rowKey={model => model.version} columns={[
                        { key: 'version', header: 'Version', cell: model => model.version, sort: model => model.version },
                        { key: 'at', header: 'Completed', cell: model => <Time at={model.completedAt} />, sort: model => model.completedAt },
                        { key: 'loss', header: 'Validation loss', isNumber: true, cell: model => formatSignificant(model.fineTuned?.loss) },
                    ]} />
                )}
            </Loaded>
        </View>
    );
}
