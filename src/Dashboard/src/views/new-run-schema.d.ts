/** JSON schemas of a run's request, from `docs/openapi.json`. */
declare module 'virtual:run-schema' {
    interface Property {
        type?: string;
        $ref?: string;
        enum?: string[];
        items?: { type: string };
        additionalProperties?: unknown;
        description?: string;
        default?: unknown;
    }
    const schemas: Record<string, { description?: string; properties: Record<string, Property> }>;
    export default schemas;
}
