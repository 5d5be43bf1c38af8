// Writes duckdb-types.parquet (every scalar type and decimal width), duckdb-v2.parquet (the encodings of its version 2) and
// duckdb-lists.parquet (lists of images).
// npm i @duckdb/node-api && node make-duckdb.mjs
import { DuckDBInstance } from '@duckdb/node-api';

const connection = await (await DuckDBInstance.create()).connect();
const types = `SELECT
    (i - 30)::TINYINT AS int8, i::UTINYINT AS uint8, (i * 100 - 3000)::SMALLINT AS int16, (i * 1000)::USMALLINT AS uint16,
    i::INTEGER AS int32, (i + 4000000000)::UINTEGER AS uint32, i::BIGINT AS int64, (i + 18446744073709551000)::UBIGINT AS uint64,
    (i / 4)::FLOAT AS float32, i * 1.5::DOUBLE AS float64, (i % 2 = 0) AS bool,
    (i * 0.25)::DECIMAL(9, 2) AS decimal32, (i * 1000.25)::DECIMAL(18, 4) AS decimal64, (i * 12345.678)::DECIMAL(28, 3) AS decimal128,
    DATE '2024-02-28' + i::INTEGER AS day, TIMESTAMP '2024-02-28 12:30:00' + INTERVAL (i) MINUTE AS moment,
    (TIMESTAMP '2024-02-28 12:30:00' + INTERVAL (i) SECOND)::TIMESTAMP_MS AS millis,
    (TIMESTAMP '2024-02-28 12:30:00' + INTERVAL (i) SECOND)::TIMESTAMP_NS AS nanos,
    TIME '08:00:00' + INTERVAL (i) MINUTE AS clock, '00000000-0000-0000-0000-0000000000' || lpad(i::VARCHAR, 2, '0') AS text,
    ('00000000-0000-0000-0000-0000000000' || lpad(i::VARCHAR, 2, '0'))::UUID AS uuid,
    CASE WHEN i % 3 = 0 THEN NULL ELSE '$' || (i * 10 + 0.5)::VARCHAR END AS priced, NULL::INTEGER AS nothing
    FROM range(60) t(i)`;
await connection.run(`COPY (${types}) TO 'duckdb-types.parquet' (FORMAT parquet, COMPRESSION zstd)`);
await connection.run(`COPY (${types}) TO 'duckdb-v2.parquet' (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, DICTIONARY_SIZE_LIMIT 1)`);

// Images as lists of URLs, of bytes and of structs, with elements that are null, empty lists and null lists.
const lists = `SELECT i AS id, 'Garment ' || i AS title,
    CASE WHEN i % 5 = 4 THEN NULL ELSE list_transform(range(i % 5), lambda j: CASE WHEN j = 1 THEN NULL
        ELSE 'https://a/' || i || '-' || j END) END AS urls,
    CASE WHEN i % 5 = 4 THEN NULL ELSE list_transform(range(i % 5), lambda j: CASE WHEN j = 1 THEN NULL
        ELSE encode('bytes ' || i || '-' || j) END) END AS blobs,
    CASE WHEN i % 5 = 4 THEN NULL ELSE list_transform(range(i % 5), lambda j: CASE WHEN j = 1 THEN NULL
        ELSE {bytes: CASE WHEN i % 2 = 0 THEN encode('bytes ' || i || '-' || j) END, path: 'https://a/' || i || '-' || j} END)
        END AS structs
    FROM range(40) t(i)`;
await connection.run(`COPY (${lists}) TO 'duckdb-lists.parquet' (FORMAT parquet, COMPRESSION zstd)`);
