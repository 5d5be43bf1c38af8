using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Web;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Planning;

namespace FunctionsPipeline.Benchmarks;

/// <summary>
/// Measures the steps of an ingestion that grow with the number of rows, the plan and the catalog, with manifests that are generated.
/// </summary>
internal sealed class IngestionScaleBenchmark : IBenchmark
{
    private const int UnitRows = 250;
    private const int GroupRows = 125;

    private static readonly (int Rows, int Files)[] Sizes = [(250_000, 25), (1_000_000, 100), (10_000_000, 1000)];

    /// <inheritdoc/>
    public string Name => "dataset-scale";

    /// <inheritdoc/>
    public string Title => "Plan and catalog of many rows";

    /// <inheritdoc/>
    public string Description => "plan, duplicates and catalog of 250,000, one million and ten million rows (5 minutes)";

    /// <inheritdoc/>
    public ReportFile Report => ReportFile.Datasets;

    /// <inheritdoc/>
    public Section Measure(Meter meter) => MeasureAsync(meter).GetAwaiter().GetResult();

    private static async Task<Section> MeasureAsync(Meter meter)
    {
        var plans = new Table("rows", "files", "units", "shards", "plan, kB", "with its parts, kB", "an activity reads, kB");
        var steps = new Table("rows", "step", "activities", "seconds each", "slowest", "managed heap, MB");
        foreach (var (rows, files) in Sizes)
        {
            meter.Say($"measuring: plan and catalog of {Number(rows)} rows");
            using var scratch = new ScratchFolder("ingestion-scale");
            await MeasureAsync(scratch.Path, rows, files, plans, steps);
        }
        return new Section(
            $"Row groups of {GroupRows} rows with their images, units of {UnitRows} rows. Blobs are files of this machine; manifests are " +
            "generated when they are read. Every fiftieth row repeats an earlier one, anywhere in the dataset, and all of them must be " +
            "found. The steps are the activities of the orchestrators, one after another. Managed heap: the largest after a collection.",
            plans, steps);
    }

    private static async Task MeasureAsync(string folder, int rows, int files, Table plans, Table steps)
    {
        using var storage = new GeneratedManifests(folder);
        var blobs = new BlobServiceClient(
            MemoryBlobs.ConnectionString(new Uri("http://127.0.0.1")),
            new BlobClientOptions { Transport = new HttpClientTransport(storage) });
        var container = blobs.GetBlobContainerClient(Containers.Datasets);
        var splits = new Dictionary<string, SplitRows> { ["train"] = new(rows, rows) };
        var planner = new UnitPlanner(splits, UnitRows, embedded: true);
        var groups = Enumerable.Repeat(new RowGroupSize(GroupRows, 12_000_000), rows / files / GroupRows).ToArray();
        for (var file = 0; file < files; file++)
        {
            var sha = Convert.ToHexStringLower(SHA256.HashData(BitConverter.GetBytes(file)));
            var info = new HubFileInfo($"default/train/{file:D4}.parquet", 1_000_000_000, sha, sha[..40]);
            planner.Add(new MeasuredFile("train", info, groups));
        }
        var plan = await new PlanStore(container).KeepAsync(new IngestPlan
        {
            Request = new DatasetRequest { Repo = "benchmarks/many" },
            Columns = new ColumnMapping { Image = "image", Title = "title", Category = "category", Price = "price" },
            Commit = new string('c', 40),
            ParquetCommit = new string('d', 40),
            Config = "default",
            View = $"{rows}",
            Splits = splits,
            Files = planner.Files.Count,
            Units = planner.Units.Count,
            UnitsPerShard = planner.UnitsPerShard,
        }, planner.Files, planner.Units, default);
        var dataset = plan.Blobs;
        var (head, part) = (storage.Size(dataset.Plan), storage.Size(dataset.PlannedUnits(0)));
        plans.Add(Number(rows), Number(files), Number(plan.Units), Number(plan.Shards), Kilobytes(head), Kilobytes(storage.Written),
            Kilobytes(head + part + storage.Size(dataset.PlannedFiles(0))));

        using var ingestion = new DatasetIngestion(new HubClient(HubClient.CreateHttpClient(), new HubOptions()), blobs);
        await StepAsync("keys", plan.CatalogParts, number => ingestion.WriteKeysAsync(dataset, number));
        await StepAsync("duplicates", plan.KeyPartitions, number => ingestion.FindDuplicatesAsync(dataset, number));
        await StepAsync("catalog", plan.CatalogParts, number => ingestion.WriteCatalogAsync(dataset, number));
        RowCounts counts = null!;
        await StepAsync("merging", 1, async _ => counts = await ingestion.MergeCatalogAsync(dataset));
        if ((counts.Rows, counts.Duplicates) != (rows, rows / GeneratedManifests.RepeatedEvery))
            throw new InvalidOperationException($"The counts of {rows} rows are wrong: {JsonSerializer.Serialize(counts)}");

        async Task StepAsync(string step, int count, Func<int, Task> run)
        {
            GC.Collect();
            long heap = 0;
            var seconds = new List<double>();
            await using (new Timer(_ => heap = Math.Max(heap, GC.GetGCMemoryInfo(GCKind.Any).HeapSizeBytes), null, 0, 20))
            {
                for (var number = 0; number < count; number++)
                {
                    var started = Stopwatch.GetTimestamp();
                    await run(number);
                    seconds.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
                }
            }
            steps.Add(Number(rows), step, Number(count), $"{seconds.Average():0.00}", $"{seconds.Max():0.00}", $"{heap / 1e6:0}");
        }
    }

    private static string Number(int number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Kilobytes(long bytes) => (bytes / 1000.0).ToString("N1", CultureInfo.InvariantCulture);
}

/// <summary>
/// As much of the blob service as plan and catalog use, over files of a folder. A manifest's rows are generated from the name of its unit.
/// </summary>
internal sealed class GeneratedManifests(string folder) : HttpMessageHandler
{
    /// <summary>Of so many rows one repeats an earlier one.</summary>
    public const int RepeatedEvery = 50;

    private const int UnitRows = 250;

    /// <summary>Bytes of all blobs that were written.</summary>
    public long Written { get; private set; }

    /// <summary>Size of a blob in bytes.</summary>
    public long Size(string blob) => new FileInfo(PathOf(blob)).Length;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        const string container = "/devstoreaccount1/datasets/";
        var name = HttpUtility.UrlDecode(request.RequestUri!.AbsolutePath)[container.Length..];
        if (request.Method == HttpMethod.Put)
        {
            // Blocks of a large blob are its parts; what the list of them says is of no interest.
            var query = HttpUtility.ParseQueryString(request.RequestUri.Query);
            await using var file = File.Create(PathOf(name + query["blockid"]));
            if (query["comp"] != "blocklist") await request.Content!.CopyToAsync(file, cancellationToken);
            Written += file.Length;
            return Answer(request, HttpStatusCode.Created, new ByteArrayContent([]));
        }
        if (name.Contains("/manifests/", StringComparison.Ordinal))
            return Answer(request, HttpStatusCode.OK, new ByteArrayContent(Manifest(name)));
        return File.Exists(PathOf(name))
            ? Answer(request, HttpStatusCode.OK, new ByteArrayContent(await File.ReadAllBytesAsync(PathOf(name), cancellationToken)))
            : Answer(request, HttpStatusCode.NotFound, new ByteArrayContent([]));
    }

    private static HttpResponseMessage Answer(HttpRequestMessage request, HttpStatusCode status, HttpContent content)
    {
        var response = new HttpResponseMessage(status) { RequestMessage = request, Content = content };
        response.Headers.TryAddWithoutValidation("ETag", "\"1\"");
        response.Content.Headers.LastModified = DateTimeOffset.UnixEpoch;
        if (status == HttpStatusCode.NotFound) response.Headers.Add("x-ms-error-code", "BlobNotFound");
        return response;
    }

    private static byte[] Manifest(string name)
    {
        var unit = int.Parse(name[(name.LastIndexOf('-') + 1)..^".jsonl".Length], CultureInfo.InvariantCulture);
        using var lines = new MemoryStream();
        for (var row = (long)unit * UnitRows; row < (unit + 1L) * UnitRows; row++)
        {
            var shown = row;
            while (shown % RepeatedEvery == RepeatedEvery - 1) shown /= 2;
            JsonSerializer.Serialize(lines, new ManifestRow
            {
                Row = row,
                SourceSplit = "train",
                Split = Splits.Train,
                State = RowState.Stored,
                Sha256 = Convert.ToHexStringLower(SHA256.HashData(BitConverter.GetBytes(shown))),
                Bytes = 100_000 + (shown % 1000),
                Width = 1000,
                Height = 1500,
                Title = $"Picture {shown} of a product with a name as long as titles are",
                Category = $"category {shown % 400}",
                Price = shown % 1000,
            }, PipelineJson.Compact);
            lines.WriteByte((byte)'\n');
        }
        return lines.ToArray();
    }

    private string PathOf(string blob) => Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(blob))));
}
