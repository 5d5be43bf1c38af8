// Writes checksums.parquet, byte by byte: pages of both versions and a dictionary page with CRC-32 checksums, in two row groups of 40
// rows, each column in two data pages. Few writers give checksums.   node make-checksums.mjs
import { writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';

// Thrift's compact protocol: a structure is a list of [id, wire type, value].
const [I32, I64, BINARY, LIST, STRUCT] = [5, 6, 8, 9, 12];
function varint(value) {
    const bytes = [];
    for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
        if (rest < 0x80n) return Buffer.from([...bytes, Number(rest)]);
        bytes.push(Number(rest & 0x7fn) | 0x80);
    }
}
const zigzag = value => varint((BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
function encode(type, value) {
    if (type === I32 || type === I64) return zigzag(value);
    if (type === BINARY) return Buffer.concat([varint(Buffer.byteLength(value)), Buffer.from(value)]);
    if (type === LIST) {
        const [element, items] = value;
        const header = items.length < 15 ? Buffer.from([(items.length << 4) | element]) : Buffer.concat([Buffer.from([0xf0 | element]), varint(items.length)]);
        return Buffer.concat([header, ...items.map(item => encode(element, item))]);
    }
    let last = 0;
    return Buffer.concat([...value.map(([id, wire, field]) => {
        const bytes = [Buffer.from([((id - last) << 4) | wire]), wire <= 2 ? Buffer.alloc(0) : encode(wire, field)];
        last = id;
        return Buffer.concat(bytes);
    }), Buffer.from([0])]);
}

const rows = 40;
const text = value => Buffer.concat([Buffer.from(Uint32Array.of(Buffer.byteLength(value)).buffer), Buffer.from(value)]);
const int64 = value => Buffer.from(BigInt64Array.of(BigInt(value)).buffer);
const signed = value => value | 0;
const checked = (type, body, rest) => Buffer.concat([encode(STRUCT, [
    [1, I32, type], [2, I32, body.length], [3, I32, body.length], [4, I32, signed(crc32(body))], rest,
]), body]);
const [PLAIN, RLE, RLE_DICTIONARY] = [0, 3, 8];
const page1 = (values, body, encoding = PLAIN) => checked(0, body, [5, STRUCT, [[1, I32, values], [2, I32, encoding], [3, I32, RLE], [4, I32, RLE]]]);
const page2 = (values, body) => checked(3, body, [8, STRUCT, [
    [1, I32, values], [2, I32, 0], [3, I32, values], [4, I32, PLAIN], [5, I32, 0], [6, I32, 0],
]]);
const dictionary = (values, body) => checked(2, body, [7, STRUCT, [[1, I32, values], [2, I32, PLAIN]]]);

const categories = ['coat', 'dress', 'shirt'];
const halves = first => [[first, first + rows / 2], [first + rows / 2, first + rows]].map(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i));
// Indexes of two bits, in groups of eight.
const packed = indexes => {
    const bytes = Buffer.alloc(2 * Math.ceil(indexes.length / 8));
    indexes.forEach((index, i) => { bytes[i >> 2] |= index << ((i & 3) * 2); });
    return Buffer.concat([Buffer.from([2, (Math.ceil(indexes.length / 8) << 1) | 1]), bytes]);
};
const columns = [
    ['imageurl', 6, first => halves(first).map(part => page1(part.length, Buffer.concat(part.map(i => text(`https://example.com/${i}`)))))],
    ['category', 6, first => [dictionary(3, Buffer.concat(categories.map(text))),
        ...halves(first).map(part => page1(part.length, packed(part.map(i => i % 3)), RLE_DICTIONARY))]],
    ['price', 2, first => halves(first).map(part => page2(part.length, Buffer.concat(part.map(i => int64(i * 10)))))],
];

let file = Buffer.from('PAR1');
const groups = [0, rows].map(first => {
    const chunks = columns.map(([name, type, pages]) => {
        const [start, body] = [file.length, Buffer.concat(pages(first))];
        file = Buffer.concat([file, body]);
        const dictionaryPage = pages(first).length > 2 ? pages(first)[0].length : 0;
        return [[2, I64, start], [3, STRUCT, [[1, I32, type], [2, LIST, [I32, [PLAIN, RLE, RLE_DICTIONARY]]], [3, LIST, [BINARY, [name]]],
            [4, I32, 0], [5, I64, rows], [6, I64, body.length], [7, I64, body.length], [9, I64, start + dictionaryPage],
            ...(dictionaryPage ? [[11, I64, start]] : [])]]];
    });
    return [[1, LIST, [STRUCT, chunks]], [2, I64, file.length], [3, I64, rows]];
});
const schema = [[[4, BINARY, 'schema'], [5, I32, columns.length]],
    ...columns.map(([name, type]) => [[1, I32, type], [3, I32, 0], [4, BINARY, name], ...(type === 6 ? [[6, I32, 0]] : [])])];
const footer = encode(STRUCT, [[1, I32, 2], [2, LIST, [STRUCT, schema]], [3, I64, 2 * rows], [4, LIST, [STRUCT, groups]], [6, BINARY, 'make-checksums.mjs']]);
writeFileSync('checksums.parquet', Buffer.concat([file, footer, Buffer.from(Uint32Array.of(footer.length).buffer), Buffer.from('PAR1')]));
