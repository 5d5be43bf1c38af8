// Writes hyparquet-half.parquet: half floats.   npm i hyparquet-writer && node make-hyparquet.mjs
import { writeFileSync } from 'node:fs';
import { parquetWriteBuffer } from 'hyparquet-writer';

const rows = Array.from({ length: 60 }, (_, i) => i);
writeFileSync('hyparquet-half.parquet', Buffer.from(parquetWriteBuffer({ columnData: [
    { name: 'url', type: 'STRING', data: rows.map(i => `https://example.com/${i}`) },
    { name: 'weight', type: 'FLOAT16', data: rows.map(i => (i % 10 === 9 ? null : i / 2)) },
] })));
