import { href } from '../shell/router';

interface Ingested {
    repo: string;
    commit: string;
    view: string;
}

/** Owner and name of a repository; a dataset of corrections has no owner. */
export function splitRepo(repo: string): { owner: string; name: string } {
    const [owner = '', name = ''] = repo.split('/');
    return { owner, name };
}

/** Link to an ingested dataset. */
export const datasetLink = ({ repo, commit, view }: Ingested): string =>
    href('/datasets/{owner}/{name}/{commit}/{view}', { ...splitRepo(repo), commit, view });
