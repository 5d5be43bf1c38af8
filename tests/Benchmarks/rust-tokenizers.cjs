// Answers the benchmarks: tokenizes the same parts with the Rust library when it is told to.
// node rust-tokenizers.cjs PACKAGE_FOLDER TOKENIZER_JSON PARTS_JSON, then a command a line on standard input:
//   ids    → the number of ids, and a hash of them in order
//   fresh  → milliseconds that a new tokenizer takes for all parts
//   again  → milliseconds that the tokenizer of before takes for them
'use strict';
const fs = require('fs');
const readline = require('readline');
const [library, file, partsFile] = process.argv.slice(2);
const { Tokenizer } = require(library);
const parts = JSON.parse(fs.readFileSync(partsFile, 'utf8'));
let tokenizer = Tokenizer.fromFile(file);

async function ids() {
  let count = 0, hash = 2166136261;
  for (const part of parts)
    for (const id of (await tokenizer.encode(part)).getIds()) {
      hash = Math.imul(hash ^ id, 16777619) >>> 0;
      count++;
    }
  return `${count} ${hash}`;
}

async function time() {
  const started = process.hrtime.bigint();
  for (const part of parts) await tokenizer.encode(part);
  return Number(process.hrtime.bigint() - started) / 1e6;
}

const commands = {
  ids,
  fresh: () => { tokenizer = Tokenizer.fromFile(file); return time(); },
  again: time,
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) console.log(await commands[line]());
})();
