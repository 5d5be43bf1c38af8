// Answers the benchmarks: runs a statement when it is told to.
// node duckdb.cjs PACKAGE_FOLDER, then a line of JSON {"sql", "threads"} a time on standard input
//   → a line of JSON {"milliseconds", "row"}: how long it took, and its first row with every value as text
'use strict';
const readline = require('readline');
const { DuckDBInstance } = require(process.argv[2]);

(async () => {
  const database = await DuckDBInstance.create(':memory:');
  const connection = await database.connect();
  // It would keep what it has read in memory of its own, and not read it again.
  await connection.run('SET enable_external_file_cache = false');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { sql, threads } = JSON.parse(line);
    await connection.run(`SET threads = ${threads}`);
    const started = process.hrtime.bigint();
    const answer = await connection.runAndReadAll(sql);
    const milliseconds = Number(process.hrtime.bigint() - started) / 1e6;
    console.log(JSON.stringify({ milliseconds, row: (answer.getRows()[0] || []).map(String) }));
  }
  connection.closeSync();
})();
