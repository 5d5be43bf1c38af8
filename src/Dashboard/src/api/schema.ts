import type { components, paths } from '../../obj/openapi';

/** Documents of the API, by the names of their records in `src/Contracts` and `src/FunctionApp`. */
export type Schemas = components['schemas'];

export type Method = 'get' | 'put' | 'post' | 'delete';

/** Routes that have a method. */
export type Route<M extends Method> = {
    [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];

type Operation<M extends Method, R extends Route<M>> = paths[R][M];

type Declared<O> = O extends { parameters: infer P } ? P : never;
type Part<O, K extends string> = Declared<O> extends { [N in K]: infer V } ? { [N in K]: V }
    : Declared<O> extends { [N in K]?: infer V } ? { [N in K]?: V | undefined }
    : unknown;

type Body<O> = O extends { requestBody: { content: infer C } } ? { body: BodyOf<C> }
    : O extends { requestBody?: { content: infer C } } ? { body?: BodyOf<C> }
    : unknown;
type BodyOf<C> = C extends { 'application/json': infer T } ? T : Blob;

/** Path, query, headers and body that an operation takes. */
export type Arguments<M extends Method, R extends Route<M>> =
    Part<Operation<M, R>, 'path'> & Part<Operation<M, R>, 'query'> & Part<Operation<M, R>, 'header'> & Body<Operation<M, R>>;

type Success<O> = O extends { responses: infer S } ? S[Extract<keyof S, 200 | 201 | 202 | 204>] : never;
type Content<A> = A extends { content: { 'application/json': infer T } } ? T
    : A extends { content: { 'application/jsonl': infer T } } ? T[]
    : undefined;

/** The document that an operation responds with when it succeeds; JSON lines are an array, no content is `undefined`. */
export type Answer<M extends Method, R extends Route<M>> = Content<Success<Operation<M, R>>>;
