using System.Net;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Tests.Datasets;

public sealed class ImageDownloaderTests
{
    [Theory]
    [InlineData(null, Rejection.NoImage)]
    [InlineData("  ", Rejection.NoImage)]
    [InlineData("N.A.", Rejection.BadUrl)]
    [InlineData("ftp://example.com/a.jpg", Rejection.BadUrl)]
    [InlineData("file:///etc/passwd", Rejection.BadUrl)]
    public async Task What_is_no_web_address_is_not_asked_for(string? url, string reason) =>
        Assert.Equal(reason, await ReasonOf(url, _ => throw new InvalidOperationException("asked for")));

    [Theory]
    [InlineData(HttpStatusCode.NotFound, Rejection.NotFound, 1)]
    [InlineData(HttpStatusCode.Gone, Rejection.NotFound, 1)]
    [InlineData(HttpStatusCode.Forbidden, Rejection.DownloadFailed, 1)]
    [InlineData(HttpStatusCode.ServiceUnavailable, Rejection.DownloadFailed, 2)]
    public async Task A_refusal_is_final_and_a_failure_is_tried_again(HttpStatusCode status, string reason, int requests)
    {
        var asked = 0;
        Assert.Equal(reason, await ReasonOf("http://shop.example/1", _ =>
        {
            asked++;
            return new HttpResponseMessage(status);
        }));
        Assert.Equal(requests, asked);
    }

    [Fact]
    public async Task More_than_the_limit_is_not_read_even_when_the_server_does_not_say_how_much_it_sends() =>
        Assert.Equal(Rejection.TooLarge, await ReasonOf("http://shop.example/1",
            _ => new HttpResponseMessage { Content = new StreamContent(new EndlessStream()) }));

    [Fact]
    public async Task A_server_that_never_answers_ends_at_the_deadline() =>
        Assert.Equal(Rejection.DownloadFailed, await ReasonOf("http://shop.example/1", cancellation =>
        {
            cancellation.WaitHandle.WaitOne();
            cancellation.ThrowIfCancellationRequested();
            return null!;
        }, deadline: TimeSpan.FromMilliseconds(200)));

    private static async Task<string> ReasonOf(string? url, Func<CancellationToken, HttpResponseMessage> answer, TimeSpan? deadline = null)
    {
        var options = new IngestionOptions
        {
            DownloadAttempts = 2,
            DownloadDeadline = deadline ?? TimeSpan.FromSeconds(30),
            ImageLimits = new ImageLimits { MaxBytes = 1_000_000 },
        };
        var downloader = new ImageDownloader(new HttpClient(new Server(answer)), options, TimeProvider.System);
        return (await Assert.ThrowsAsync<UnreadableImageException>(() => downloader.DownloadAsync(url))).Reason;
    }

    private sealed class Server(Func<CancellationToken, HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.Run(() => answer(cancellationToken), CancellationToken.None);
    }

    private sealed class EndlessStream : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get; set; }

        public override int Read(byte[] buffer, int offset, int count) => count;

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
