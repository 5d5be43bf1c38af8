using System.Net;
using System.Net.Sockets;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Fetching;
using FunctionsPipeline.Images;
using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.Datasets.Tests.Fetching;

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
            () => downloader.DownloadAsync(string.Format(null, url, server.BaseUrl.Port)));
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
        await Assert.ThrowsAsync<UnreadableImageException>(() => downloader.DownloadAsync(string.Format(null, url, server.BaseUrl.Port)));
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task A_name_that_leads_into_a_private_network_is_refused_and_the_way_out_is_named()
    {
        var guard = new AddressGuard([], (_, _) => Addresses("10.1.2.3", "fd00::1"), Nobody);
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(() => ConnectAsync(guard));
        Assert.Equal(Rejection.BlockedAddress, failure.Reason);
        Assert.Contains("shop.example is 10.1.2.3, fd00::1", failure.Detail, StringComparison.Ordinal);
        Assert.Contains("set Ingestion__AllowedHosts__0, or the next number that is free, to shop.example:80", failure.Detail,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_private_address_is_named_once()
    {
        var guard = new AddressGuard([], connect: Nobody);
        var failure = await Assert.ThrowsAsync<UnreadableImageException>(
            () => guard.ConnectAsync(new DnsEndPoint("10.1.2.3", 80), default).AsTask());
        Assert.StartsWith("10.1.2.3 is not on the public Internet; ", failure.Detail, StringComparison.Ordinal);
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

public sealed class PublicAddressTests
{
    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("0.255.255.255")]
    [InlineData("10.0.0.0")]
    [InlineData("10.255.255.255")]
    [InlineData("100.64.0.0")]
    [InlineData("100.127.255.255")]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.255")]
    [InlineData("168.63.129.16")]
    [InlineData("169.254.169.254")]
    [InlineData("172.16.0.0")]
    [InlineData("172.31.255.255")]
    [InlineData("192.0.0.8")]
    [InlineData("192.0.2.1")]
    [InlineData("192.88.99.1")]
    [InlineData("192.168.0.0")]
    [InlineData("192.168.255.255")]
    [InlineData("198.18.0.0")]
    [InlineData("198.19.255.255")]
    [InlineData("198.51.100.1")]
    [InlineData("203.0.113.1")]
    [InlineData("224.0.0.1")]
    [InlineData("239.255.255.255")]
    [InlineData("240.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("::7f00:1")]
    [InlineData("::8.8.8.8")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("::ffff:8.8.8.8")]
    [InlineData("64:ff9b::127.0.0.1")]
    [InlineData("64:ff9b::10.0.0.1")]
    [InlineData("64:ff9b:1::8.8.8.8")]
    [InlineData("100::1")]
    [InlineData("2001::1")]
    [InlineData("2001:0:7f00:1::")]
    [InlineData("2001:db8::1")]
    [InlineData("2002:7f00:1::")]
    [InlineData("3fff::1")]
    [InlineData("fc00::1")]
    [InlineData("fdff:ffff::1")]
    [InlineData("fe80::1")]
    [InlineData("fe80::1%1")]
    [InlineData("febf::1")]
    [InlineData("fec0::1")]
    [InlineData("ff02::1")]
    public void Addresses_of_machines_and_private_networks_are_not_public(string address) =>
        Assert.False(PublicAddress.Is(IPAddress.Parse(address)));

    [Theory]
    [InlineData("1.1.1.1")]
    [InlineData("8.8.8.8")]
    [InlineData("9.255.255.255")]
    [InlineData("11.0.0.0")]
    [InlineData("100.63.255.255")]
    [InlineData("100.128.0.0")]
    [InlineData("126.255.255.255")]
    [InlineData("128.0.0.1")]
    [InlineData("168.63.129.17")]
    [InlineData("169.253.255.255")]
    [InlineData("172.15.255.255")]
    [InlineData("172.32.0.0")]
    [InlineData("192.0.1.0")]
    [InlineData("192.167.255.255")]
    [InlineData("198.17.255.255")]
    [InlineData("198.20.0.0")]
    [InlineData("223.255.255.255")]
    [InlineData("64:ff9b::8.8.8.8")]
    [InlineData("2001:200::1")]
    [InlineData("2001:4860:4860::8888")]
    [InlineData("2606:4700:4700::1111")]
    [InlineData("2a00:1450:4001:80b::2004")]
    public void Addresses_of_the_Internet_are_public(string address) => Assert.True(PublicAddress.Is(IPAddress.Parse(address)));
}
