import { useApi } from '../api/polling';
import { Empty } from '../components/Empty';
import { Freshness } from '../components/Freshness';
import { Loaded } from '../components/Loaded';
import { Table } from '../components/Table';
import { Time } from '../components/Time';
import { View } from '../components/View';
import { href, type ViewProps } from '../shell/router';
import { datasetLink } from './datasets-link';

/** Ingested datasets, the last one first. */
export default function Datasets({ query }: ViewProps) {
    const list = useApi('/api/datasets', {}, 15_000);
    const repo = query.get('repo');
    return (
        <View title="Datasets" subtitle={<Freshness of={list} />}>
            {repo && <p class="toolbar">Of {repo} only. <a href={href('/datasets')}>Show all</a></p>}
            <Loaded from={list}>{({ datasets }) => {
                const shown = repo ? datasets.filter(dataset => dataset.repo === repo) : datasets;
                return shown.length === 0
                    ? (
                        <Empty title="No dataset has been ingested yet.">
                            <p>A <a href={href('/new-run')}>new run</a> begins with that.</p>
                        </Empty>
                    )
                    : (
                        <Table caption="Datasets" rows={shown} rowKey={dataset => `${dataset.repo} ${dataset.commit} ${dataset.view}`}
                            columns={[
                                {
                                    key: 'repo', header: 'Dataset', sort: dataset => dataset.repo,
                                    // Corrections are a dataset of their own, without an owner, and have no page.
                                    cell: dataset => (dataset.repo.includes('/')
                                        ? <a href={datasetLink(dataset)}>{dataset.repo}</a>
                                        : dataset.repo),
                                },
                                { key: 'commit', header: 'Commit', cell: dataset => <code>{dataset.commit.slice(0, 12)}</code> },
                                { key: 'view', header: 'Settings', cell: dataset => <code>{dataset.view}</code> },
                                {
                                    key: 'at', header: 'Ingested', sort: dataset => dataset.ingestedAt,
                                    cell: dataset => <Time at={dataset.ingestedAt} />,
                                },
                            ]} />
                    );
            }}
            </Loaded>
        </View>
    );
}
