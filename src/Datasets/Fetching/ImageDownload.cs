using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>Download of one image, with retries, redirects and a total deadline.</summary>
internal sealed class ImageDownload(Uri address, HttpClient http, HostTurns turns, IngestionOptions options, TimeProvider time)
{
    private const int MaxRedirects = 3;

    private TimeSpan _left = options.DownloadDeadline;
    private bool _hasBegun;
    private long _received;

    // SocketsHttpHandler enforces ConnectTimeout itself but does not report when it has connected, so that the first timeout covers both.
    private TimeSpan TimeToBegin => options.ConnectTimeout + options.ReadTimeout;

    /// <exception cref="UnreadableImageException">The image cannot be downloaded; the exception gives the reason.</exception>
    public async Task<byte[]> RunAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            PassingFailureException failure;
            try
            {
                return await TryAsync(cancellationToken);
            }
            catch (PassingFailureException e)
            {
                failure = e;
            }
            var tries = attempt == 1 ? "1 try" : $"{attempt} tries";
            if (attempt >= options.DownloadAttempts)
                throw new UnreadableImageException(failure.Reason, $"{failure.Message} ({tries})", failure);
            var pause = PauseAfter(attempt);
            if (failure.RetryAfter > pause) pause = failure.RetryAfter.Value;
            if (pause >= _left)
                throw new UnreadableImageException(failure.Reason,
                    $"{failure.Message} ({tries}; no time is left for another after a pause of {Seconds(pause)})", failure);
            await Task.Delay(pause, time, cancellationToken);
            _left -= pause;
        }
    }

    private async Task<byte[]> TryAsync(CancellationToken cancellationToken)
    {
        var uri = address;
        for (var redirects = 0; redirects <= MaxRedirects; redirects++)
        {
            var (bytes, location) = await AskAsync(uri, cancellationToken);
            if (bytes is not null) return bytes;
            uri = ImageUrl.Follow(uri, location!);
        }
        throw new UnreadableImageException(Rejection.DownloadFailed,
            $"{address} redirects more than {MaxRedirects} times, at last to {uri}");
    }

    /// <summary>Sends one request; returns the body, or the target of a redirect.</summary>
    private async Task<(byte[]? Bytes, Uri? Location)> AskAsync(Uri uri, CancellationToken cancellationToken)
    {
        using var turn = await turns.TakeAsync(uri, cancellationToken);
        (_hasBegun, _received) = (false, 0);
        var started = time.GetTimestamp();
        using var whole = new CancellationTokenSource(_left > TimeSpan.Zero ? _left : TimeSpan.Zero, time);
        using var piece = new CancellationTokenSource(TimeToBegin, time);
        using var any = CancellationTokenSource.CreateLinkedTokenSource(whole.Token, piece.Token, cancellationToken);
        try
        {
            using var response = await http.GetAsync(uri, HttpCompletionOption.ResponseHeadersRead, any.Token);
            if (response.RedirectsTo() is { } location) return (null, location);
            if (!response.IsSuccessStatusCode) throw Refusal(uri, response, turn);
            Check(uri, response);
            return (await ReadAsync(uri, response, piece, any.Token), null);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            if (whole.IsCancellationRequested)
                throw new UnreadableImageException(Rejection.Timeout,
                    $"{uri}: not whole within {Seconds(options.DownloadDeadline)}; {SoFar()}", e);
            if (piece.IsCancellationRequested)
                throw new PassingFailureException(Rejection.Timeout,
                    $"{uri}: nothing for {Seconds(_hasBegun ? options.ReadTimeout : TimeToBegin)}; {SoFar()}", e);
            if (e.InnerException is TimeoutException)
                throw new PassingFailureException(Rejection.Timeout, $"{uri}: no connection within {Seconds(options.ConnectTimeout)}", e);
            throw;
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw Explain(uri, e);
        }
        finally
        {
            _left -= time.GetElapsedTime(started);
        }
    }

    private void Check(Uri uri, HttpResponseMessage response)
    {
        if (options.HonorOptOut && RobotsTag.OptOut(response.Headers, ImageDownloader.Robot) is { } directive)
            throw new UnreadableImageException(Rejection.OptedOut,
                $"{uri} says {directive}; Ingestion:HonorOptOut decides whether that counts");
        if (response.Content.Headers.ContentLength > options.ImageLimits.MaxBytes)
            throw new UnreadableImageException(Rejection.TooLarge,
                $"{uri} has {response.Content.Headers.ContentLength:N0} bytes; at most {options.ImageLimits.MaxBytes:N0} are read");
    }

    private async Task<byte[]> ReadAsync(Uri uri, HttpResponseMessage response, CancellationTokenSource piece,
        CancellationToken cancellationToken)
    {
        _hasBegun = true;
        piece.CancelAfter(options.ReadTimeout);
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var bytes = new MemoryStream();
        var buffer = new byte[64 * 1024];
        for (int read; (read = await body.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            piece.CancelAfter(options.ReadTimeout);
            bytes.Write(buffer, 0, read);
            _received = bytes.Length;
            if (_received > options.ImageLimits.MaxBytes)
                throw new UnreadableImageException(Rejection.TooLarge, $"{uri} has more than {options.ImageLimits.MaxBytes:N0} bytes");
        }
        return _received > 0 ? bytes.ToArray() : throw new UnreadableImageException(Rejection.Empty, $"{uri} has no bytes");
    }

    private Exception Refusal(Uri uri, HttpResponseMessage response, HostTurn turn)
    {
        var detail = $"{uri} answered {(int)response.StatusCode}";
        if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Gone)
            return new UnreadableImageException(Rejection.NotFound, detail);
        if ((int)response.StatusCode is not (408 or 425 or 429 or 500 or 502 or 503 or 504))
            return new UnreadableImageException(Rejection.DownloadFailed, detail);
        var pause = response.RetryAfter(time);
        // 429 and 503 pause the other requests to the host as well, but for no longer than one download may take.
        if (pause is not null && response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable)
            turn.HoldBack(pause.Value < options.DownloadDeadline ? pause.Value : options.DownloadDeadline);
        return new PassingFailureException(Rejection.DownloadFailed, detail) { RetryAfter = pause };
    }

    private Exception Explain(Uri uri, Exception failure) => failure.InnerException switch
    {
        UnreadableImageException blocked => new UnreadableImageException(blocked.Reason, $"{uri}: {blocked.Detail}", failure),
        SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData } =>
            new UnreadableImageException(Rejection.NotFound, $"{uri}: there is no host {uri.IdnHost}", failure),
        AuthenticationException tls => new UnreadableImageException(Rejection.DownloadFailed, $"{uri}: {tls.Message}", failure),
        _ when IsNoHttp(failure) =>
            new UnreadableImageException(Rejection.DownloadFailed, $"{uri}: {failure.GetBaseException().Message}", failure),
        _ => new PassingFailureException(Rejection.DownloadFailed,
            $"{uri}: {failure.GetBaseException().Message.TrimEnd('.')}; {SoFar()}", failure),
    };

    private static bool IsNoHttp(Exception failure) =>
        ((failure as HttpRequestException)?.HttpRequestError ?? (failure as HttpIOException)?.HttpRequestError)
            is HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded;

    // Random jitter of ±50 % spreads the retries of requests that failed together.
    private TimeSpan PauseAfter(int attempt) => options.RetryDelay * Math.Pow(2, attempt - 1) * (0.5 + Random.Shared.NextDouble());

    private string SoFar() => _hasBegun ? $"{_received:N0} bytes had come" : "no answer had begun";

    private static string Seconds(TimeSpan time) => $"{time.TotalSeconds:0.###} seconds";
}
