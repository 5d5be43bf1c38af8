// Writes rewritten-*.parquet: columns that Parquet.Net 6.1 does not read, as docs/parquet.md says to write them again.
// npm i @duckdb/node-api && node make-rewritten.mjs
import { DuckDBInstance } from '@duckdb/node-api';

const connection = await (await DuckDBInstance.create()).connect();
await connection.run("COPY (FROM 'arrow-v2-plain-zstd.parquet') TO 'rewritten-arrow.parquet'");
await connection.run("COPY (SELECT category, discounted, late FROM 'hyparquet-limits.parquet') TO 'rewritten-hyparquet.parquet'");
