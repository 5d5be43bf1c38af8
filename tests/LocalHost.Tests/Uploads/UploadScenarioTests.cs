using System.Diagnostics;
using Azure.Storage.Blobs;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.Tests;

namespace FunctionsPipeline.LocalHost.Tests.Uploads;

/// <summary>The command <c>upload</c> as a process of its own, on an account in which the test plays the pipeline.</summary>
public sealed class UploadScenarioTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("upload-");

    private BlobContainerClient Images => azurite.Blobs.GetBlobContainerClient(Containers.ProductImages);

    private BlobContainerClient Predictions => azurite.Blobs.GetBlobContainerClient(Containers.Predictions);

    public async Task InitializeAsync()
    {
        await Images.CreateIfNotExistsAsync();
        await Predictions.CreateIfNotExistsAsync();
    }

    public Task DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Images_are_uploaded_and_their_documents_are_printed_as_they_come()
    {
        foreach (var name in new[] { "a.jpg", "b.jpg" }) await File.WriteAllTextAsync(Path.Combine(_folder.FullName, name), name);
        // Of an earlier version, which must not be taken for the answer to this upload.
        await WriteAsync(new PredictionDocument
        {
            Image = "new/a.jpg", ETag = "0x1", Status = PredictionStatus.Predicted, Title = "Old", At = DateTimeOffset.UnixEpoch,
        });
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        var uploading = RunAsync(
            azurite.ConnectionString, "--to", "new", "--wait", Path.Combine(_folder.FullName, "a.jpg"),
            Path.Combine(_folder.FullName, "b.jpg"));
        await WriteAsync(new PredictionDocument
        {
            Image = "new/a.jpg",
            ETag = await VersionAsync("new/a.jpg", limit.Token),
            Status = PredictionStatus.Predicted,
            Title = "Red Hat",
            Category = "Hats",
            Price = 250,
            Fields = new FieldValues([new("brand", new FieldValue("Acme")), new("weight", new FieldValue(120.5))]),
            Confidence = new Confidence(0.875, null, null, null),
            At = DateTimeOffset.UnixEpoch,
        });
        await WriteAsync(new PredictionDocument
        {
            Image = "new/b.jpg",
            ETag = await VersionAsync("new/b.jpg", limit.Token),
            Status = PredictionStatus.Rejected,
            Reason = Rejection.NotAnImage,
            Detail = "no format",
            At = DateTimeOffset.UnixEpoch,
        });

        var (exitCode, output, errors) = await uploading;
        Assert.True(exitCode == 0, errors);
        Assert.Equal(
            ["new/a.jpg\tpredicted\tRed Hat\tHats\t250\t0.88\tbrand: Acme\tweight: 120.5", "new/b.jpg\trejected\tnot-an-image\tno format"],
            output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order());
        Assert.Contains("2 of 2 images uploaded", errors, StringComparison.Ordinal);
        Assert.Equal("a.jpg", (await Images.GetBlobClient("new/a.jpg").DownloadContentAsync()).Value.Content.ToString());
    }

    [Fact]
    public async Task Without_a_stack_the_way_to_start_one_is_told()
    {
        var file = Path.Combine(_folder.FullName, "a.jpg");
        await File.WriteAllTextAsync(file, "a");
        var nothing = $"http://127.0.0.1:{FreePort.Next()}/account";
        var (exitCode, _, errors) = await RunAsync(
            $"DefaultEndpointsProtocol=http;AccountName=account;AccountKey=a2V5;BlobEndpoint={nothing};", file);
        Assert.Equal(1, exitCode);
        Assert.Contains($"The storage account {nothing}", errors, StringComparison.Ordinal);
        Assert.Contains("Start ./pipeline up first", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_string_that_is_none_is_told()
    {
        var file = Path.Combine(_folder.FullName, "a.jpg");
        await File.WriteAllTextAsync(file, "a");
        var (exitCode, _, errors) = await RunAsync("azurite", file);
        Assert.Equal(1, exitCode);
        Assert.Contains("no connection string", errors, StringComparison.Ordinal);
    }

    private async Task WriteAsync(PredictionDocument document) => await Predictions.GetBlobClient(BlobNames.Prediction(document.Image))
        .UploadAsync(BinaryData.FromObjectAsJson(document, PipelineJson.Options), overwrite: true);

    private async Task<string> VersionAsync(string name, CancellationToken cancellationToken)
    {
        var blob = Images.GetBlobClient(name);
        while (!await blob.ExistsAsync(cancellationToken)) await Task.Delay(50, cancellationToken);
        return (await blob.GetPropertiesAsync(cancellationToken: cancellationToken)).Value.ETag.ToString();
    }

    private static async Task<(int ExitCode, string Output, string Errors)> RunAsync(string connection, params string[] arguments)
    {
        var start = new ProcessStartInfo(
            "dotnet", [typeof(FunctionsHost).Assembly.Location, "upload", "--connection", connection, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, errors);
    }
}
