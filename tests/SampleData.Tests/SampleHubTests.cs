using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using Parquet;

namespace FunctionsPipeline.SampleData.Tests;

public sealed class SampleHubTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("sample-data-");
    private readonly HttpClient _http = new(new HttpClientHandler { AllowAutoRedirect = false });

    [Fact]
    public async Task The_catalog_is_listed_as_parquet_and_has_the_columns_of_a_price_catalog()
    {
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 120 });
        var address = new Uri(hub.Url, "/api/datasets/samples/garments/parquet");
        var listing = await _http.GetFromJsonAsync<Dictionary<string, Dictionary<string, string[]>>>(address);
        var url = new Uri(listing!["default"]["train"].Single());

        var redirect = await _http.GetAsync(url);
        await using var reader = await ParquetReader.CreateAsync(
            new MemoryStream(await _http.GetByteArrayAsync(redirect.Headers.Location)));

        Assert.Equal(HttpStatusCode.Found, redirect.StatusCode);
        Assert.Equal(40, redirect.Headers.GetValues("X-Repo-Commit").Single().Length);
        string[] columns = ["website_name", "competence_date", "country_code", "currency_code", "brand", "category1_code", "category2_code",
            "category3_code", "product_code", "title", "itemurl", "imageurl", "full_price", "price", "full_price_eur", "price_eur",
            "flg_discount", "colour", "pattern"];
        Assert.Equal(columns.Order(), reader.Schema.Fields.Select(f => f.Name).Order());
        Assert.Equal(120, reader.Metadata!.RowGroups.Sum(g => g.NumRows));
    }

    [Fact]
    public async Task Ranges_and_heads_are_answered()
    {
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 20 });
        var file = new Uri(hub.Url, "/datasets/samples/garments/resolve/refs%2Fconvert%2Fparquet/default/train/0000.parquet");
        var head = await _http.SendAsync(new HttpRequestMessage(HttpMethod.Head, file));
        var range = new HttpRequestMessage(HttpMethod.Get, head.Headers.Location) { Headers = { Range = new(null, 4) } };

        var tail = await _http.SendAsync(range);

        Assert.Equal(HttpStatusCode.PartialContent, tail.StatusCode);
        Assert.Equal("PAR1", await tail.Content.ReadAsStringAsync());
        Assert.Equal(head.Headers.GetValues("X-Linked-Size").Single(), tail.Content.Headers.ContentRange!.Length.ToString());
    }

    [Fact]
    public async Task Commits_depend_on_what_is_served_alone()
    {
        Draw(6);
        async Task<string?> CommitAsync(HubServerOptions options)
        {
            await using var hub = await SampleHub.StartAsync(options);
            var info = await _http.GetFromJsonAsync<JsonElement>(new Uri(hub.Url, $"/api/datasets/{hub.Dataset}"));
            return info.GetProperty("sha").GetString();
        }

        var images = new HubServerOptions { Images = _folder.FullName };
        Assert.Equal(await CommitAsync(images), await CommitAsync(images));
        Assert.NotEqual(await CommitAsync(images), await CommitAsync(images with { Rows = 5 }));
    }

    [Fact]
    public async Task What_does_not_exist_is_refused_in_the_hubs_own_words()
    {
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 5 });
        async Task<(HttpStatusCode, string?)> GetAsync(string path, bool withToken = true)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, new Uri(hub.Url, path));
            if (withToken) request.Headers.Authorization = new("Bearer", "hf_any");
            var response = await _http.SendAsync(request);
            return (response.StatusCode, response.Headers.TryGetValues("X-Error-Code", out var code) ? code.Single() : null);
        }

        Assert.Equal((HttpStatusCode.NotFound, "RepoNotFound"), await GetAsync("/api/datasets/samples/none"));
        Assert.Equal((HttpStatusCode.Unauthorized, null), await GetAsync("/api/datasets/samples/none", withToken: false));
        Assert.Equal((HttpStatusCode.NotFound, "RevisionNotFound"), await GetAsync("/api/datasets/samples/garments/revision/v9"));
        Assert.Equal((HttpStatusCode.NotFound, "EntryNotFound"), await GetAsync("/datasets/samples/garments/resolve/main/none.txt"));
        Assert.Equal((HttpStatusCode.NotFound, "RepoNotFound"), await GetAsync("/api/models/samples/none"));
    }

    [Fact]
    public async Task Pictures_held_back_are_in_no_split()
    {
        Draw(12);
        var heldOut = Path.Combine(_folder.FullName, "..", Path.GetRandomFileName());
        try
        {
            await using var hub = await SampleHub.StartAsync(
                new HubServerOptions { Images = _folder.FullName, HoldBack = 4, HeldOut = heldOut });
            var truth = File.ReadAllLines(Path.Combine(heldOut, HeldOutSet.TruthFile))
                .Select(line => JsonSerializer.Deserialize<Truth>(line, PipelineJson.Compact)!).ToList();
            var served = ImageFolder.Open(_folder.FullName, null, 4, seed: 0).Images.Select(p => p.Path.Replace('/', '-'));

            Assert.Equal(["bag", "bag", "hat", "hat"], truth.Select(t => t.Category!).Order());
            Assert.Empty(served.Intersect(truth.Select(t => t.File)));
            Assert.Distinct(truth.Select(t => t.File));
            Assert.All(truth, t => Assert.True(File.Exists(Path.Combine(heldOut, t.File))));
        }
        finally
        {
            Directory.Delete(heldOut, recursive: true);
        }
    }

    [Fact]
    public async Task Garments_held_back_come_after_the_catalogs_last_row()
    {
        var heldOut = Path.Combine(_folder.FullName, "held-out");
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 50, HoldBack = 3, HeldOut = heldOut });
        Assert.Equal(["40000050.jpg", "40000051.jpg", "40000052.jpg"], File.ReadAllLines(Path.Combine(heldOut, HeldOutSet.TruthFile))
            .Select(line => JsonSerializer.Deserialize<Truth>(line, PipelineJson.Compact)!.File));
    }

    [Fact]
    public async Task Model_folders_are_served_as_repositories()
    {
        var model = _folder.CreateSubdirectory("tiny");
        File.WriteAllText(Path.Combine(model.FullName, "config.json"), "{}");
        await using var hub = await SampleHub.StartAsync(new HubServerOptions { Rows = 5, Models = _folder.FullName });

        var tree = await _http.GetFromJsonAsync<JsonElement>(new Uri(hub.Url, "/api/models/samples/tiny/tree/main?recursive=true"));
        var config = await _http.GetStringAsync(new Uri(hub.Url, "/samples/tiny/resolve/main/config.json"));

        Assert.Equal("config.json", tree.EnumerateArray().Single().GetProperty("path").GetString());
        Assert.Equal("{}", config);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_served_is_named()
    {
        var failure = await Assert.ThrowsAsync<InvalidDataException>(() =>
            SampleHub.StartAsync(new HubServerOptions { Images = "/no/such/folder" }));
        Assert.Contains("/no/such/folder", failure.Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _http.Dispose();
        _folder.Delete(recursive: true);
    }

    private void Draw(int count)
    {
        foreach (var label in new[] { "bag", "hat" })
        {
            for (var i = 0; i < count / 2; i++)
            {
                var folder = Directory.CreateDirectory(Path.Combine(_folder.FullName, i % 3 == 2 ? "validation" : "train", label)).FullName;
                File.WriteAllBytes(Path.Combine(folder, $"{i}.jpg"), GarmentPainter.Jpeg(Garment.All[i], new Random(i)));
            }
        }
    }
}
