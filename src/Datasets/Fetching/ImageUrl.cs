using FunctionsPipeline.Contracts;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.Datasets;

/// <summary>Validates the URLs of images. <see cref="AddressGuard"/> checks the IP addresses that they resolve to.</summary>
internal static class ImageUrl
{
    private const int LongestShown = 200;

    /// <exception cref="UnreadableImageException">The URL is missing or not allowed.</exception>
    public static Uri Parse(string? url)
    {
        if (string.IsNullOrWhiteSpace(url)) throw new UnreadableImageException(Rejection.NoImage, "the row has no image");
        if (!Uri.TryCreate(url.Trim(), UriKind.Absolute, out var uri)) throw Bad(url);
        return Check(uri, url);
    }

    /// <summary>Resolves the target of a redirect.</summary>
    /// <exception cref="UnreadableImageException">The target is a URL that is not allowed.</exception>
    public static Uri Follow(Uri from, Uri location)
    {
        var to = new Uri(from, location);
        // As in browsers and HttpClient, a redirect must not downgrade from https to http.
        if (from.Scheme == Uri.UriSchemeHttps && to.Scheme == Uri.UriSchemeHttp)
            throw new UnreadableImageException(Rejection.BadUrl, $"{from} redirects from https to http");
        return Check(to, to.ToString());
    }

    private static Uri Check(Uri uri, string written)
    {
        if (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps) throw Bad(written);
        if (uri.UserInfo.Length > 0)
            throw new UnreadableImageException(Rejection.BadUrl,
                $"the address holds a user name or password for {uri.Authority}; none are sent");
        return uri;
    }

    private static UnreadableImageException Bad(string url) =>
        new(Rejection.BadUrl, $"'{(url.Length <= LongestShown ? url : url[..LongestShown] + '…')}' is not an http or https address");
}
