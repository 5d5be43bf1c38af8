using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.Tests;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class StoredImagesTests(AzuriteFixture azurite) : IClassFixture<AzuriteFixture>, IAsyncLifetime
{
    private readonly StoredImages _images = new();
    private readonly DefaultHttpContext _http = new();

    private BlobContainerClient Container => azurite.Blobs.GetBlobContainerClient(Containers.ProductImages);

    public Task InitializeAsync() => Container.CreateIfNotExistsAsync();

    public Task DisposeAsync()
    {
        _images.Dispose();
        return Task.CompletedTask;
    }

    [Theory]
    [InlineData(null, 64, 32)]
    // Shown upright, an image of this orientation is taller than wide.
    [InlineData(6, 32, 64)]
    public async Task A_thumbnail_is_a_small_upright_JPEG(int? orientation, int width, int height)
    {
        await UploadAsync(TestImages.Jpeg(640, 320, (ushort?)orientation));
        using var thumbnail = await ThumbnailAsync(64);
        Assert.Equal((width, height), (thumbnail.Width, thumbnail.Height));
        Assert.Null(thumbnail.Metadata.ExifProfile);
        // Red is left, or above.
        Assert.True(thumbnail[2, 2] is { R: > 200, B: < 60 });
        Assert.True(thumbnail[width - 3, height - 3] is { R: < 60, B: > 200 });
    }

    [Theory]
    [InlineData(2000, 10, 100, 100, 1)]
    [InlineData(20, 30, 100, 20, 30)]
    [InlineData(333, 999, 16, 5, 16)]
    public async Task Proportions_are_kept_and_nothing_is_enlarged(int width, int height, int side, int shownWidth, int shownHeight)
    {
        await UploadAsync(TestImages.Png(width, height));
        using var thumbnail = await ThumbnailAsync(side);
        Assert.Equal((shownWidth, shownHeight), (thumbnail.Width, thumbnail.Height));
    }

    [Theory]
    [InlineData("15")]
    [InlineData("1025")]
    [InlineData("-64")]
    [InlineData("64.5")]
    [InlineData("wide")]
    public async Task A_width_that_is_none_is_refused(string width)
    {
        await UploadAsync(TestImages.Png(20, 20));
        Assert.Equal((400, "width"), await ProblemAsync(width));
    }

    [Fact]
    public async Task An_image_is_sent_as_what_it_is_whatever_the_uploader_said()
    {
        var png = TestImages.Png(20, 20);
        await UploadAsync(png, "text/html");
        var result = Assert.IsType<FileStreamResult>(await RespondAsync(null));
        Assert.Equal("image/png", result.ContentType);
        Assert.Empty(result.FileDownloadName);
        using var sent = new MemoryStream();
        await result.FileStream.CopyToAsync(sent);
        Assert.Equal(png, sent.ToArray());
        var headers = _http.Response.Headers;
        Assert.Equal("nosniff", headers.XContentTypeOptions);
        Assert.Equal("default-src 'none'; sandbox", headers.ContentSecurityPolicy);
        Assert.Equal("private, no-cache", headers.CacheControl);
    }

    [Theory]
    [InlineData("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")]
    [InlineData("")]
    public async Task What_is_no_image_is_a_download_and_has_no_thumbnail(string content)
    {
        await UploadAsync(System.Text.Encoding.UTF8.GetBytes(content), "image/svg+xml");
        var result = Assert.IsType<FileStreamResult>(await RespondAsync(null));
        Assert.Equal(("application/octet-stream", "a.jpg"), (result.ContentType, result.FileDownloadName));
        var (status, _) = await ProblemAsync("64");
        Assert.Equal(content.Length > 0 ? 415 : 422, status);
    }

    [Fact]
    public async Task An_image_that_cannot_be_decoded_says_why()
    {
        var png = TestImages.Png(200, 200);
        await UploadAsync(png[..^40]);
        var problem = Assert.IsType<ContentResult>(await RespondAsync("64"));
        Assert.Equal(422, problem.StatusCode);
        Assert.Contains("truncated", problem.Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unchanged_image_or_thumbnail_is_not_sent_again()
    {
        await UploadAsync(TestImages.Png(200, 200));
        var tags = new List<string>();
        foreach (var width in new[] { null, "64", "65" })
        {
            await RespondAsync(width);
            tags.Add(_http.Response.Headers.ETag!);
            _http.Request.Headers.IfNoneMatch = tags[^1];
            Assert.Equal(304, Assert.IsType<StatusCodeResult>(await RespondAsync(width)).StatusCode);
        }
        Assert.Equal(3, tags.Distinct().Count());
        await UploadAsync(TestImages.Png(100, 100));
        Assert.IsType<FileContentResult>(await RespondAsync("65"));
    }

    [Fact]
    public async Task An_image_that_is_named_by_its_content_may_be_kept()
    {
        await UploadAsync(TestImages.Png(20, 20));
        await _images.RespondAsync(_http.Request, Blob, isImmutable: true, default);
        Assert.Equal("private, max-age=31536000, immutable", _http.Response.Headers.CacheControl);
    }

    [Fact]
    public async Task There_is_no_response_for_an_image_that_is_not_there() =>
        Assert.Null(await _images.RespondAsync(_http.Request, Container.GetBlobClient("nothing"), false, default));

    [Fact]
    public async Task A_page_of_thumbnails_comes_at_once()
    {
        await UploadAsync(TestImages.Jpeg(1600, 1200));
        var sent = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ =>
        {
            var http = new DefaultHttpContext();
            http.Request.QueryString = new QueryString("?width=160");
            return _images.RespondAsync(http.Request, Blob, false, default);
        }));
        Assert.All(sent, result => Assert.NotEmpty(Assert.IsType<FileContentResult>(result).FileContents));
    }

    private BlobClient Blob => Container.GetBlobClient("spring/a.jpg");

    private Task UploadAsync(byte[] bytes, string type = "application/octet-stream") => Blob.UploadAsync(
        new BinaryData(bytes), new BlobUploadOptions { HttpHeaders = new BlobHttpHeaders { ContentType = type } });

    private async Task<IActionResult> RespondAsync(string? width)
    {
        _http.Request.QueryString = new QueryString(width is null ? "" : $"?width={width}");
        return (await _images.RespondAsync(_http.Request, Blob, isImmutable: false, default))!;
    }

    private async Task<Image<Rgb24>> ThumbnailAsync(int side)
    {
        var result = Assert.IsType<FileContentResult>(await RespondAsync($"{side}"));
        Assert.Equal("image/jpeg", result.ContentType);
        return Image.Load<Rgb24>(result.FileContents);
    }

    private async Task<(int? Status, string? Field)> ProblemAsync(string width)
    {
        var problem = Assert.IsType<ContentResult>(await RespondAsync(width));
        return (problem.StatusCode, System.Text.Json.JsonSerializer.Deserialize<Problem>(problem.Content!, PipelineJson.Options)!.Field);
    }
}
