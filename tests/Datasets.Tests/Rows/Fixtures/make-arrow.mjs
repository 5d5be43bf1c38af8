// Writes arrow-*.parquet: the same table in every encoding, compression and page version that arrow-rs writes.
// npm i parquet-wasm@0.8 apache-arrow@21 && node make-arrow.mjs
import { writeFileSync } from 'node:fs';
import * as arrow from 'apache-arrow';
import * as parquet from 'parquet-wasm';

const { Compression, Encoding, WriterPropertiesBuilder, WriterVersion } = parquet;
const rows = Array.from({ length: 120 }, (_, i) => i);
const image = new arrow.Struct([new arrow.Field('bytes', new arrow.Binary(), true), new arrow.Field('path', new arrow.Utf8(), true)]);
const texts = new arrow.List(new arrow.Field('item', new arrow.Utf8(), true));
const images = new arrow.List(new arrow.Field('item', image, true));
const picture = i => ({ bytes: Buffer.from(`bytes of ${i}`), path: i % 4 === 0 ? null : `images/${i}.jpg` });

// The values that the tests expect, by row.
const columns = {
    id: [new arrow.Int64(), i => BigInt(i), false],
    size: [new arrow.Int32(), i => (i % 3 === 0 ? null : (i * 7919) % 1000 - 500)],
    price: [new arrow.Float64(), i => (i % 5 === 0 ? null : i * 1.5)],
    weight: [new arrow.Float32(), i => i / 4, false],
    discounted: [new arrow.Bool(), i => (i % 11 === 0 ? null : i % 3 === 0)],
    title: [new arrow.Utf8(), i => (i % 6 === 0 ? null : `Garment ${i} – ${'é'.repeat(i % 4)}`)],
    category: [new arrow.Utf8(), i => ['coat', 'dress', 'shirt'][i % 3], false],
    image: [image, i => (i % 10 === 9 ? null : picture(i))],
    tags: [texts, i => (i % 8 === 0 ? null : Array.from({ length: i % 4 }, (_, j) => (j === 1 ? null : `tag ${i}.${j}`)))],
    images: [images, i => (i % 7 === 0 ? null : Array.from({ length: i % 3 }, (_, j) => (j === 0 ? null : picture(i))))],
};

const schema = new arrow.Schema(Object.entries(columns).map(([name, [type, , nullable]]) => new arrow.Field(name, type, nullable ?? true)));
const data = Object.fromEntries(Object.entries(columns).map(([name, [type, value]]) => [name, arrow.vectorFromArray(rows.map(value), type)]));
const batch = new arrow.RecordBatch(schema, arrow.makeData({
    type: new arrow.Struct(schema.fields), length: rows.length, children: Object.values(data).map(vector => vector.data[0]),
}));
const ipc = arrow.tableToIPC(new arrow.Table(schema, [batch]), 'stream');

const deltas = { id: 'DELTA_BINARY_PACKED', size: 'DELTA_BINARY_PACKED', price: 'BYTE_STREAM_SPLIT', weight: 'BYTE_STREAM_SPLIT',
    discounted: 'RLE', title: 'DELTA_LENGTH_BYTE_ARRAY', category: 'DELTA_BYTE_ARRAY', 'image.bytes': 'DELTA_BYTE_ARRAY',
    'image.path': 'DELTA_BYTE_ARRAY', 'tags.list.item': 'DELTA_BYTE_ARRAY', 'images.list.item.path': 'DELTA_LENGTH_BYTE_ARRAY' };

function write(version, encodings, compression) {
    let builder = new WriterPropertiesBuilder().setWriterVersion(WriterVersion[version]).setCompression(Compression[compression])
        .setWriteBatchSize(16).setDataPageSizeLimit(400).setDictionaryEnabled(encodings === 'dictionary').setMaxRowGroupSize(80);
    if (encodings === 'plain') builder = builder.setEncoding(Encoding.PLAIN);
    if (encodings === 'delta') for (const [column, encoding] of Object.entries(deltas)) builder = builder.setColumnEncoding(column, Encoding[encoding]);
    const file = parquet.writeParquet(parquet.Table.fromIPCStream(ipc), builder.build());
    writeFileSync(`arrow-${version}-${encodings}-${compression}.parquet`.toLowerCase().replaceAll('_', ''), file);
}

for (const compression of ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI', 'ZSTD', 'LZ4_RAW']) {
    write('V1', 'dictionary', compression);
    write('V2', 'delta', compression);
}
write('V1', 'plain', 'UNCOMPRESSED');
write('V1', 'delta', 'UNCOMPRESSED');
write('V2', 'plain', 'ZSTD');
write('V2', 'dictionary', 'SNAPPY');
