using System.Net;
using System.Net.Sockets;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.Images;
using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.Tests.Datasets;

public sealed class AddressGuardTests
{
    private static readonly IngestionOptions OneTry = new() { DownloadAttempts = 1 };

    [Theory]
    [InlineData("http://127.0.0.1:{0}/")]
    [InlineData("http://127.1:{0}/")]
    [InlineData("http://0x7f000001:{0}/")]
    [InlineData("http://0177.0.0.1:{0}/")]
    [InlineData("http://2130706433:{0}/")]
    [InlineData("http://0.0.0.0:{0}/")]
    [InlineData("http://[::1]:{0}/")]
    [InlineData("http://[::]:{0}/")]
    [InlineData("http://[::ffff:127.0.0.1]:{0}/")]
    [InlineData("http://[::ffff:7f00:1]:{0}/")]
    [InlineData("http://localhost:{0}/")]
    public async Task However_this_machine_is_written_nothing_is_fetched_from_it(string url)
    {
        await using var server = await ImageServer.StartAsync((context, _) => context.Response.WriteAsync("secret"));
        using var downloader = new ImageDownloader(OneTry, TimeProvider.System);
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(
            () => downloader.DownloadAsync(string.Format(null, url, server.Address.Port)));
        Assert.Equal(Rejection.BlockedAddress, failure.Reason);
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData("http://127.0.0.1.:{0}/")]
    [InlineData("http://localhost.:{0}/")]
    [InlineData("http://①②⑦.0.0.1:{0}/")]
    public async Task Nor_when_the_system_decides_what_the_name_means(string url)
    {
        await using var server = await ImageServer.StartAsync((context, _) => context.Response.WriteAsync("secret"));
        using var downloader = new ImageDownloader(OneTry, TimeProvider.System);
        await Assert.ThrowsAsync<UnreadableImageException>(() => downloader.DownloadAsync(string.Format(null, url, server.Address.Port)));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task A_name_that_leads_into_a_private_network_is_refused_and_the_way_out_is_named()
    {
        var guard = new AddressGuard([], (_, _) => Addresses("10.1.2.3", "fd00::1"), Nobody);
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(() => ConnectAsync(guard));
        Assert.Equal(Rejection.BlockedAddress, failure.Reason);
        Assert.Contains("shop.example is 10.1.2.3, fd00::1", failure.Detail, StringComparison.Ordinal);
        Assert.Contains("Ingestion:AllowedHosts to shop.example:80", failure.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_a_names_addresses_only_the_public_ones_are_connected_to()
    {
        IPAddress[]? tried = null;
        var guard = new AddressGuard([], (_, _) => Addresses("127.0.0.1", "8.8.8.8", "::1", "2606:4700::1"), (addresses, _, _) =>
        {
            tried = addresses;
            return Task.FromResult(Stream.Null);
        });
        await ConnectAsync(guard);
        Assert.Equal(await Addresses("8.8.8.8", "2606:4700::1"), tried);
    }

    [Fact]
    public async Task A_name_that_leads_elsewhere_the_next_time_is_connected_to_where_it_was_checked_or_not_at_all()
    {
        await using var server = await ImageServer.StartAsync((context, _) =>
        {
            context.Response.Headers.Connection = "close";
            return context.Response.WriteAsync("picture");
        });
        var lookups = 0;
        var connected = new List<IPAddress>();
        var guard = new AddressGuard([], (_, _) => ++lookups == 1 ? Addresses("8.8.8.8") : Addresses("127.0.0.1"), (addresses, _, _) =>
        {
            connected.AddRange(addresses);
            return ImageDownloaderTests.ConnectTo(server);
        });
        using var downloader = new ImageDownloader(OneTry, TimeProvider.System, guard);

        Assert.Equal("picture"u8.ToArray(), await downloader.DownloadAsync("http://shop.example/1"));
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(() => downloader.DownloadAsync("http://shop.example/2"));

        Assert.Equal(Rejection.BlockedAddress, failure.Reason);
        Assert.Equal(await Addresses("8.8.8.8"), connected);
        Assert.Equal(2, lookups);
    }

    [Theory]
    [InlineData("shop.example:80", true)]
    [InlineData("SHOP.example:80", true)]
    [InlineData("shop.example:81", false)]
    [InlineData("shop.example", false)]
    [InlineData("example:80", false)]
    [InlineData("127.0.0.1:80", false)]
    public async Task A_host_is_allowed_as_it_is_written_with_its_port(string allowed, bool connects)
    {
        var guard = new AddressGuard([allowed], (_, _) => Addresses("127.0.0.1"), (_, _, _) => Task.FromResult(Stream.Null));
        if (connects) await ConnectAsync(guard);
        else await Assert.ThrowsAsync<UnreadableImageException>(() => ConnectAsync(guard));
    }

    [Fact]
    public async Task An_IPv6_address_is_allowed_in_brackets()
    {
        var guard = new AddressGuard(["[::1]:8080"], (_, _) => Addresses("::1"), (_, _, _) => Task.FromResult(Stream.Null));
        Assert.Same(Stream.Null, await guard.ConnectAsync(new DnsEndPoint("::1", 8080), default));
    }

    [Fact]
    public async Task A_blocked_address_is_not_tried_again()
    {
        var lookups = 0;
        var guard = new AddressGuard([], (_, _) =>
        {
            lookups++;
            return Addresses("192.168.0.1");
        }, Nobody);
        using var downloader = new ImageDownloader(new IngestionOptions(), TimeProvider.System, guard);
        await Assert.ThrowsAsync<UnreadableImageException>(() => downloader.DownloadAsync("http://shop.example/"));
        Assert.Equal(1, lookups);
    }

    private static Task<Stream> ConnectAsync(AddressGuard guard) =>
        guard.ConnectAsync(new DnsEndPoint("shop.example", 80), default).AsTask();

    private static Task<IPAddress[]> Addresses(params string[] addresses) =>
        Task.FromResult(addresses.Select(IPAddress.Parse).ToArray());

    private static Task<Stream> Nobody(IPAddress[] addresses, int port, CancellationToken cancellationToken) =>
        throw new SocketException((int)SocketError.ConnectionRefused);
}
