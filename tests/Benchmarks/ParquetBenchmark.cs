using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Planning;
using FunctionsPipeline.Datasets.Rows;
using Parquet;
using Parquet.Meta;
using Parquet.Schema;

namespace FunctionsPipeline.Benchmarks;

/// <summary>Measures reading the rows of Parquet files, beside DuckDB.</summary>
internal sealed class ParquetBenchmark : IBenchmark
{
    private const int TextRows = 300_000;
    private const int ImageRows = 1500;
    private const int ImageWidth = 1000;
    private const int ImageHeight = 1500;
    private const int Drawings = 16;

    private static readonly ColumnMapping Catalog =
        new() { Image = "imageurl", Title = "title", Category = "category3_code", Price = "full_price", Product = "product_code" };

    /// <inheritdoc/>
    public string Name => "dataset-parquet";

    /// <inheritdoc/>
    public string Title => "Parquet";

    /// <inheritdoc/>
    public string Description => "rows of Parquet files with texts and numbers, and with embedded images, beside DuckDB (3 minutes)";

    /// <inheritdoc/>
    public ReportFile Report => ReportFile.Datasets;

    /// <inheritdoc/>
    public Section Measure(Meter meter)
    {
        using var scratch = new ScratchFolder("parquet");
        using var duckDb = DuckDb.Start();
        var version = duckDb.Run("SELECT version()", threads: 1).Row[0];
        var table = new Table("file", "reader", "median ms", "fastest ms", "rounds", "MB/s", "ours");
        foreach (var groupRows in new[] { 122_880, 10_240 })
        {
            var file = Path.Combine(scratch.Path, $"catalog-{groupRows}.parquet");
            duckDb.Run(CatalogSql(file, groupRows), threads: 2);
            Add($"catalog, {groupRows:N0} rows a group", file, Catalog, ["imageurl", "title", "category3_code"],
                ["full_price", "product_code"]);
        }
        var images = new BenchmarkDataset("images", ImageKind.Embedded, ImageRows);
        var pictures = DistinctImages.Draw(Path.Combine(scratch.Path, BenchmarkHub.Pictures), ImageWidth, ImageHeight, Drawings);
        images.WriteAsync(scratch.Path, pictures, new Uri("http://localhost")).GetAwaiter().GetResult();
        Add("images, 100 rows a group", Path.Combine(scratch.Path, "images.parquet"), images.Request.Columns!,
            ["image.bytes", "title", "category"], ["price"]);
        return new Section(
            $"Catalog: {TextRows:N0} rows with the columns of a price catalog, of which the image's URL, title, category, price and " +
            $"product are read, written by DuckDB. Images: {ImageRows:N0} rows with a JPEG of {pictures.MeanBytes / 1000:0} kB each, " +
            "of which everything but the files' names is read, written by Parquet.Net in row groups as the Hub has them. Both Snappy, " +
            "and in the system's cache. Ours: all rows as one unit of ingestion, checked, with .NET strings for each row, on one " +
            $"thread. Parquet.Net alone: the same columns into arrays, and no rows; with texts as bytes, as we read them, and then with " +
            $"a string for each. DuckDB {version}: the same columns into a table " +
            "of its own in memory, or only summed up (lengths of texts and files, numbers), which needs no memory for what was read; " +
            "our sums are the same. MB/s: of these columns' bytes in the file. Rounds take turns. Ours: the reader's median over " +
            "ours, so 0.50× says that we take twice as long; the target is at least 0.80× of DuckDB into a table.",
            table);

        void Add(string name, string file, ColumnMapping columns, string[] lengths, string[] numbers)
        {
            var reading = new ParquetReading(file, columns);
            var measured = string.Join(", ", [.. lengths.Select(LengthSql), .. numbers.Select(column => $"sum({column})")]);
            var sums = $"SELECT {measured}, count(*) FROM read_parquet('{file}')";
            var rows =
                $"CREATE OR REPLACE TEMP TABLE rows AS SELECT {string.Join(", ", [.. lengths, .. numbers])} FROM read_parquet('{file}')";
            var (ours, theirs) = (reading.AsUnitAsync().GetAwaiter().GetResult(), duckDb.Run(sums, threads: 1).Row);
            var length = theirs.Take(lengths.Length).Sum(long.Parse);
            if (ours.Length != length || $"{ours.Rows}" != theirs[^1])
            {
                throw new InvalidOperationException(
                    $"DuckDB reads {theirs[^1]} rows of {length} bytes; we read {ours.Rows} of {ours.Length}.");
            }
            var size = reading.SizeAsync().GetAwaiter().GetResult();
            (string Reader, Func<double> Round)[] readers =
            [
                ("ours", () => Meter.Time(() => reading.AsUnitAsync().GetAwaiter().GetResult())),
                ("Parquet.Net alone", () => Meter.Time(() => reading.ByParquetNetAsync(Texts.Characters).GetAwaiter().GetResult())),
                ("Parquet.Net, texts as bytes",
                    () => Meter.Time(() => reading.ByParquetNetAsync(Texts.Bytes).GetAwaiter().GetResult())),
                ("Parquet.Net, texts as bytes, then strings",
                    () => Meter.Time(() => reading.ByParquetNetAsync(Texts.Strings).GetAwaiter().GetResult())),
                ("DuckDB into a table, 1 thread", () => duckDb.Run(rows, threads: 1).Milliseconds),
                ("DuckDB into a table, 2 threads", () => duckDb.Run(rows, threads: 2).Milliseconds),
                ("DuckDB sums, 1 thread", () => duckDb.Run(sums, threads: 1).Milliseconds),
                ("DuckDB sums, 2 threads", () => duckDb.Run(sums, threads: 2).Milliseconds),
            ];
            var timings = meter.Measure($"Parquet, {name}", [.. readers.Select(reader => reader.Round)]);
            foreach (var ((reader, _), timing) in readers.Zip(timings))
            {
                table.Add(
                [
                    name, reader, .. timing.Cells, (size / timing.Median / 1e3).ToString("0", CultureInfo.InvariantCulture),
                    timing == timings[0] ? "" : string.Create(CultureInfo.InvariantCulture, $"{timing.Median / timings[0].Median:0.00}×"),
                ]);
            }
        }
    }

    private static string LengthSql(string column) =>
        column.EndsWith("bytes", StringComparison.Ordinal) ? $"sum(octet_length({column}))" : $"sum(strlen({column}))";

    private static string CatalogSql(string file, int groupRows) =>
        $"""
        COPY (
            SELECT 'Samples' AS website_name, '2026-01-15' AS competence_date, 'USA' AS country_code, 'USD' AS currency_code,
                'SAMPLES' AS brand,
                ['APPAREL', 'ACCESSORIES', 'SHOES'][1 + i % 3] AS category1_code,
                ['MEN', 'WOMEN', 'CHILDREN'][1 + i // 7 % 3] AS category2_code,
                ['COATS', 'SHIRTS', 'SCARVES', 'BAGS', 'HATS', 'TROUSERS', 'DRESSES', 'KNITWEAR'][1 + (hash(i) % 8)::INT] AS category3_code,
                80000000 + i AS product_code,
                concat_ws(' ', ['Check', 'Striped', 'Plain', 'Quilted', 'Reversible'][1 + (hash(i + 1) % 5)::INT],
                    ['Cotton', 'Cashmere', 'Wool', 'Leather', 'Silk', 'Nylon'][1 + (hash(i + 2) % 6)::INT],
                    ['Trench Coat', 'Scarf', 'Tote', 'Polo Shirt', 'Trousers', 'Dress'][1 + (hash(i + 3) % 6)::INT],
                    'in', ['Archive Beige', 'Black', 'White', 'Navy', 'Bright Red'][1 + (hash(i + 4) % 5)::INT],
                    hash(i + 5) % 500) AS title,
                'https://www.example.com/us/p' || (80000000 + i) AS itemurl,
                'https://assets.example.com/is/image/' || md5(i::VARCHAR) AS imageurl,
                50 + (hash(i + 6) % 300000) / 100 AS full_price, 40 + (hash(i + 7) % 300000) / 100 AS price,
                45 + (hash(i + 8) % 300000) / 100 AS full_price_eur, 30 + (hash(i + 9) % 300000) / 100 AS price_eur,
                (i % 10 = 7)::BIGINT AS flg_discount
            FROM range({TextRows}) AS numbers(i)
        ) TO '{file}' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {groupRows})
        """.ReplaceLineEndings(" ");
}

/// <summary>Amount of data read from a Parquet file.</summary>
/// <param name="Length">Characters of texts and bytes of images.</param>
internal sealed record ReadRows(long Rows, long Length);

/// <summary>Forms in which texts are read.</summary>
internal enum Texts
{
    Characters,
    Bytes,

    /// <summary>As bytes, of which a string is made for each row.</summary>
    Strings,
}

/// <summary>Ways to read all rows of a Parquet file from a local disk.</summary>
/// <param name="columns">The columns that are read.</param>
internal sealed class ParquetReading(string path, ColumnMapping columns)
{
    private readonly HashSet<string?> _columns = [columns.Image, columns.Title, columns.Category, columns.Price, columns.Product];

    /// <summary>Bytes that the columns take in the file.</summary>
    public async Task<long> SizeAsync()
    {
        await using var file = File.OpenRead(path);
        await using var parquet = await ParquetFile.OpenAsync(file, CancellationToken.None);
        return parquet.Schema.GetDataFields().Where(IsRead)
            .Sum(field => Enumerable.Range(0, parquet.RowGroups.Count).Sum(group => parquet.SizeOf(group, field)));
    }

    /// <summary>Reads all rows as a unit of ingestion is read: a row at a time, checked, with strings of its own.</summary>
    public async Task<ReadRows> AsUnitAsync()
    {
        await using var file = File.OpenRead(path);
        long all;
        await using (var parquet = await ParquetFile.OpenAsync(file, CancellationToken.None)) all = parquet.RowCount;
        var unit = new IngestUnit(0, "train", path, 0, 0, all);
        var (rows, length) = (0L, 0L);
        await foreach (var batch in ParquetRows.ReadAsync(file, columns, unit, new SplitRows(all, all), images: 1, CancellationToken.None))
        {
            foreach (var row in batch)
            {
                if (row.Fault is not null) throw new InvalidOperationException(row.Fault);
                rows++;
                length += (row.ImageUrl?.Length ?? row.ImageBytes!.Value.Length) + row.Title!.Length + row.Category!.Length;
            }
        }
        return new ReadRows(rows, length);
    }

    /// <summary>Reads with Parquet.Net alone: a column of a row group at a time, into arrays that are not used.</summary>
    public async Task ByParquetNetAsync(Texts texts)
    {
        await using var file = File.OpenRead(path);
        await using var parquet = await ParquetReader.CreateAsync(file, leaveStreamOpen: true);
        var isText = parquet.Metadata!.Schema.Where(element => element.ConvertedType == ConvertedType.UTF8).Select(e => e.Name).ToHashSet();
        if (texts != Texts.Characters)
        {
            foreach (var element in parquet.Metadata.Schema.Where(element => isText.Contains(element.Name)))
                (element.LogicalType, element.ConvertedType) = (null, null);
        }
        for (var number = 0; number < parquet.RowGroupCount; number++)
        {
            using var group = parquet.OpenRowGroupReader(number);
            foreach (var field in parquet.Schema.GetDataFields().Where(IsRead))
            {
                await (field.ClrType switch
                {
                    _ when texts == Texts.Strings && isText.Contains(field.Name) => ReadStringsAsync(group, field),
                    var type when type == typeof(ReadOnlyMemory<byte>) => ReadAsync<ReadOnlyMemory<byte>>(group, field),
                    var type when type == typeof(ReadOnlyMemory<char>) => ReadAsync<ReadOnlyMemory<char>>(group, field),
                    var type when type == typeof(long) => ReadAsync<long>(group, field),
                    _ => ReadAsync<double>(group, field),
                });
            }
        }
    }

    // Names of embedded files are not read either where every row has the file.
    private bool IsRead(DataField field) => _columns.Contains(field.Path.FirstPart) && field.Name != "path";

    private static async ValueTask ReadStringsAsync(ParquetRowGroupReader group, DataField field)
    {
        var values = new ReadOnlyMemory<byte>[group.RowCount];
        await group.ReadRawAsync<ReadOnlyMemory<byte>>(field, values, new int[group.RowCount], null);
        foreach (var value in values) GC.KeepAlive(System.Text.Encoding.UTF8.GetString(value.Span));
    }

    private static ValueTask ReadAsync<T>(ParquetRowGroupReader group, DataField field)
        where T : struct
        => group.ReadRawAsync<T>(field, new T[group.RowCount], field.MaxDefinitionLevel > 0 ? new int[group.RowCount] : null, null);
}

/// <summary>
/// DuckDB as its npm package: a Node process that works when it is told to, so that its rounds and ours take turns. <c>./pipeline bench</c>
/// installs the package.
/// </summary>
internal sealed class DuckDb : IDisposable
{
    private readonly Process _node;

    private DuckDb(Process node) => _node = node;

    /// <summary>Starts the process.</summary>
    /// <exception cref="NotMeasuredException">Node or the package is not here, or does not work.</exception>
    public static DuckDb Start()
    {
        var package = Environment.GetEnvironmentVariable("PIPELINE_DUCKDB");
        if (!Directory.Exists(package))
            throw new NotMeasuredException("the npm package @duckdb/node-api, which ./pipeline bench installs, is not here");
        try
        {
            return new DuckDb(Process.Start(new ProcessStartInfo("node")
            {
                ArgumentList = { Path.Combine(AppContext.BaseDirectory, "duckdb.cjs"), package },
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            })!);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new NotMeasuredException($"the npm package @duckdb/node-api does not start: {e.Message}");
        }
    }

    /// <summary>Runs a statement.</summary>
    /// <returns>Milliseconds that it took, and the values of its first row.</returns>
    public (double Milliseconds, string[] Row) Run(string sql, int threads)
    {
        try
        {
            _node.StandardInput.WriteLine(JsonSerializer.Serialize(new { sql, threads }));
            _node.StandardInput.Flush();
        }
        catch (IOException)
        {
            // It has ended; the output says so too.
        }
        var line = _node.StandardOutput.ReadLine()
            ?? throw new NotMeasuredException("the npm package @duckdb/node-api does not load or fails; standard error says why");
        var answer = JsonSerializer.Deserialize<Answer>(line, JsonSerializerOptions.Web)!;
        return (answer.Milliseconds, answer.Row);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // The script ends with its input.
        _node.StandardInput.Close();
        _node.WaitForExit();
        _node.Dispose();
    }

    private sealed record Answer(double Milliseconds, string[] Row);
}
