// Writes hyparquet-half.parquet: half floats; and hyparquet-limits.parquet: encodings that Parquet.Net 6.1 does not read.
// npm i hyparquet-writer@0.17 && node make-hyparquet.mjs
import { writeFileSync } from 'node:fs';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { snappyCompress } from 'hyparquet-writer/src/snappy.js';

const rows = Array.from({ length: 60 }, (_, i) => i);
writeFileSync('hyparquet-half.parquet', Buffer.from(parquetWriteBuffer({ columnData: [
    { name: 'url', type: 'STRING', data: rows.map(i => `https://example.com/${i}`) },
    { name: 'weight', type: 'FLOAT16', data: rows.map(i => (i % 10 === 9 ? null : i / 2)) },
] })));

// Data pages of version 2 with Snappy, in row groups of 40 and 20 rows. In the first group, "late" has no values, and its page no bytes
// where Snappy would write one for its length of zero.
const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8' };
const fixed = length => ({ type: 'FIXED_LEN_BYTE_ARRAY', type_length: length });
const columns = {
    category: [text, i => ['coat', 'dress', 'shirt'][i % 3]],
    discounted: [{ type: 'BOOLEAN' }, i => i % 3 === 0, 'RLE'],
    late: [text, i => (i < 40 ? null : `note ${i}`)],
    binary: [fixed(4), i => Buffer.from(`${1000 + i}`), 'BYTE_STREAM_SPLIT'],
    half: [{ ...fixed(2), logical_type: { type: 'FLOAT16' } }, i => i / 2, 'BYTE_STREAM_SPLIT'],
    decimal: [{ ...fixed(12), converted_type: 'DECIMAL', precision: 28, scale: 2 }, i => i / 4, 'BYTE_STREAM_SPLIT'],
};
const elements = Object.entries(columns).map(([name, [element]]) => ({ name, repetition_type: 'OPTIONAL', ...element }));
writeFileSync('hyparquet-limits.parquet', Buffer.from(parquetWriteBuffer({
    schema: [{ name: 'root', num_children: elements.length }, ...elements],
    columnData: Object.entries(columns).map(([name, [, value, encoding]]) => ({ name, data: rows.map(value), encoding })),
    compressors: { SNAPPY: bytes => (bytes.length > 0 ? snappyCompress(bytes) : bytes) },
    rowGroupSize: 40,
})));
