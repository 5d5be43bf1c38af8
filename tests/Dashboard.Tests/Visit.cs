using System.Collections.Concurrent;
using System.Diagnostics;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using FunctionsPipeline.LocalHost.Processes;
using Microsoft.Playwright;

namespace FunctionsPipeline.Dashboard.Tests;

/// <summary>A visitor's tab of the dashboard, with a record of what the page asks for and complains about.</summary>
internal sealed class Visit
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private const int MostNodes = 3000;
    private const int MostRequests = 100;

    private static readonly AxeRunOptions Rules = new()
    {
        RunOnly = new RunOnlyOptions
        {
            Type = "tag",
            Values = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        },
    };

    private readonly ConcurrentQueue<string> _complaints = new();

    private Visit(IPage page, Uri host)
    {
        Page = page;
        var origin = host.GetLeftPart(UriPartial.Authority);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning") _complaints.Enqueue($"console: {message.Text} ({message.Location})");
        };
        page.PageError += (_, error) => _complaints.Enqueue($"error: {error}");
        page.Request += (_, request) =>
        {
            if (new Uri(request.Url) is { Scheme: "http" or "https" } url && url.GetLeftPart(UriPartial.Authority) != origin)
                _complaints.Enqueue($"a request to another origin: {url}");
        };
        page.Response += (_, response) => Responses.Enqueue(response);
    }

    public IPage Page { get; }

    /// <summary>
    /// Statuses that are answers and no mistakes, although the browser reports them as errors: that there is no correction, or that an
    /// upload is no image to draw.
    /// </summary>
    public HashSet<int> Answers { get; } = [404, 415];

    /// <summary>Responses that the page has received.</summary>
    public ConcurrentQueue<IResponse> Responses { get; } = new();

    /// <summary>Has somebody visit a place of the dashboard, in a browser without a past.</summary>
    /// <param name="place">Place after the <c>#</c> of the URL.</param>
    /// <exception cref="Xunit.Sdk.XunitException">The page wrote an error to the console, or asked another origin.</exception>
    public static async Task ToAsync(
        IBrowser browser, Uri host, string place, Func<Visit, Task> look, BrowserNewContextOptions? options = null)
    {
        await using var context = await browser.NewContextAsync(
            options ?? new BrowserNewContextOptions { ViewportSize = new ViewportSize { Width = 1280, Height = 900 } });
        var page = await context.NewPageAsync();
        var visit = new Visit(page, host);
        try
        {
            await page.GotoAsync($"{host}api/dashboard#{place}");
            await look(visit);
        }
        catch (Exception e) when (e is PlaywrightException or TimeoutException or Xunit.Sdk.XunitException)
        {
            var picture = Path.Combine(Applications.StateFolder, "logs", $"dashboard-{DateTime.UtcNow:HHmmss.fff}.png");
            await page.ScreenshotAsync(new PageScreenshotOptions { Path = picture, FullPage = true });
            throw new InvalidOperationException($"{e.Message}\n{string.Join('\n', visit._complaints)}\nat {page.Url}: {picture}", e);
        }
        var answers = visit.Answers.Select(status => $"status of {status} ").ToList();
        var complaints = visit._complaints
            .Where(complaint => !answers.Any(answer => complaint.Contains(answer, StringComparison.Ordinal))).ToList();
        Assert.True(complaints.Count == 0, string.Join('\n', complaints));
    }

    /// <summary>
    /// Checks the page on a desk in the light and on a phone in the dark: no violation of axe's rules, nothing wider than the screen.
    /// </summary>
    public async Task AssertUsableAsync()
    {
        // Themes change colours and widths change places: two of the four combinations have all of each.
        foreach (var (theme, width) in ((ColorScheme, int)[])[(ColorScheme.Light, 1280), (ColorScheme.Dark, 390)])
        {
            await Page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = theme });
            await Page.SetViewportSizeAsync(width, 900);
            await AssertFitsAsync(width);
            await AssertAccessibleAsync($"{theme}, {width} px");
        }
    }

    /// <summary>Waits until every chart has curves: pixels with a hue, which neither axes nor grid have.</summary>
    public async Task AssertDrawnAsync(ILocator canvases)
    {
        const string Coloured = """
            canvas => {
                const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                let coloured = 0;
                for (let i = 0; i < data.length; i += 4) {
                    const [low, high] = [Math.min(data[i], data[i + 1], data[i + 2]), Math.max(data[i], data[i + 1], data[i + 2])];
                    if (data[i + 3] > 100 && high - low > 60) coloured++;
                }
                return coloured;
            }
            """;
        await Assertions.Expect(canvases.First).ToBeVisibleAsync();
        foreach (var canvas in await canvases.AllAsync())
        {
            var limit = Stopwatch.StartNew();
            // A chart of a run in progress gets its first points with the next poll.
            while (await canvas.EvaluateAsync<int>(Coloured) <= 50)
            {
                Assert.True(limit.Elapsed < Patience, $"A chart of {Page.Url} is blank.");
                await Task.Delay(100);
            }
        }
    }

    /// <summary>Waits for images and has the browser decode the first of them.</summary>
    public async Task AssertLoadedAsync(ILocator images)
    {
        await Assertions.Expect(images.First).ToBeVisibleAsync();
        await images.First.EvaluateAsync("image => image.decode()");
    }

    /// <summary>Checks that the page asked for little and consists of little, however much there is to show.</summary>
    public async Task AssertLightAsync()
    {
        var nodes = await Page.EvaluateAsync<int>("document.getElementsByTagName('*').length");
        Assert.True(nodes < MostNodes, $"{Page.Url} has {nodes} elements.");
        var urls = Responses.Select(response => response.Url).ToList();
        Assert.True(urls.Count < MostRequests, $"{Page.Url} asked for {string.Join('\n', urls)}");
    }

    // Charts follow a new width some frames later.
    private Task AssertFitsAsync(int width) =>
        Page.WaitForFunctionAsync("width => document.documentElement.scrollWidth <= width", width, new() { Timeout = 5000 });

    private async Task AssertAccessibleAsync(string where)
    {
        var violations = (await Page.RunAxe(Rules)).Violations;
        Assert.True(violations.Length == 0, string.Join('\n', violations.Select(violation =>
            $"{where}: {violation.Id}: {violation.Help}\n  {string.Join("\n  ", violation.Nodes.Select(node => node.Html))}")));
    }
}
