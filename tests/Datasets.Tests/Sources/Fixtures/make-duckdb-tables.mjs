// Writes duckdb-*: tables as CSV, JSON lines, a JSON array and Parquet, as DuckDB's COPY writes them.
// npm i @duckdb/node-api@1.5.6-r.1 && node make-duckdb-tables.mjs
import { DuckDBInstance } from '@duckdb/node-api';

const connection = await (await DuckDBInstance.create(':memory:')).connect();
await connection.run(`CREATE TABLE products AS SELECT 'images/' || i || '.png' AS image, 'Garment "' || i || '", new' AS title,
    ['coat', 'dress', 'shirt'][1 + i % 3] AS category, CAST(10 + i / 2 AS DECIMAL(9, 2)) AS price, ['a', 'b'] AS tags,
    i % 4 = 3 AS held FROM range(12) AS rows(i)`);
const columns = 'image, title, category, price';
await connection.run(`COPY (SELECT ${columns} FROM products WHERE NOT held) TO 'duckdb-train.csv' (HEADER)`);
await connection.run(`COPY (SELECT ${columns} FROM products WHERE held) TO 'duckdb-test.csv' (HEADER)`);
await connection.run(`COPY (SELECT ${columns}, tags FROM products) TO 'duckdb.jsonl' (FORMAT json)`);
await connection.run(`COPY (SELECT ${columns}, tags FROM products) TO 'duckdb-array.json' (FORMAT json, ARRAY true)`);
await connection.run(`COPY (SELECT ${columns} FROM products) TO 'duckdb.parquet' (FORMAT parquet)`);
await connection.run(`CREATE TABLE views AS SELECT ['images/' || i || '.png', 'images/' || i + 6 || '.png'] AS photos,
    'Garment ' || i AS title FROM range(5) AS rows(i) UNION ALL SELECT ['images/10.png'], 'One'`);
await connection.run(`COPY views TO 'duckdb-lists.csv' (HEADER)`);
await connection.run(`COPY views TO 'duckdb-lists.json' (FORMAT json, ARRAY true)`);
connection.closeSync();
