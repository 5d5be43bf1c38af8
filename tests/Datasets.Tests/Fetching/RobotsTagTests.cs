using FunctionsPipeline.Datasets;

namespace FunctionsPipeline.Tests.Datasets;

public sealed class RobotsTagTests
{
    [Theory]
    [InlineData("noai", "noai")]
    [InlineData("noimageai", "noimageai")]
    [InlineData("noindex", "noindex")]
    [InlineData("noimageindex", "noimageindex")]
    [InlineData("none", "none")]
    [InlineData("NoAI", "NoAI")]
    [InlineData("nofollow ,  noai", "noai")]
    [InlineData("max-snippet: 5, noai", "noai")]
    [InlineData("unavailable_after: 25 Jun 2030 15:00:00 PST, noai", "noai")]
    [InlineData("ourbot: noai", "noai")]
    [InlineData("OurBot : nofollow, noai", "noai")]
    [InlineData("*: noai", "noai")]
    [InlineData("otherbot: noai, ourbot: noindex", "noindex")]
    public void Opts_out(string line, string directive) => Assert.Equal(directive, OptOut(line));

    [Theory]
    [InlineData("")]
    [InlineData("all")]
    [InlineData("nofollow, noarchive, max-image-preview: none")]
    [InlineData("noai-but-not-really")]
    [InlineData("otherbot: noai")]
    [InlineData("otherbot: nofollow, noai")]
    [InlineData("ourbot: nofollow, otherbot: noindex")]
    public void Does_not_opt_out(string line) => Assert.Null(OptOut(line));

    [Fact]
    public void Of_several_lines_one_is_enough_and_a_robots_name_counts_for_its_line_only()
    {
        Assert.Null(OptOut("nofollow", "otherbot: noai"));
        Assert.Equal("noai", OptOut("otherbot: nofollow", "noai"));
    }

    [Fact]
    public void No_header_is_no_opt_out()
    {
        using var response = new HttpResponseMessage();
        Assert.Null(RobotsTag.OptOut(response.Headers, "ourbot"));
    }

    private static string? OptOut(params string[] lines)
    {
        using var response = new HttpResponseMessage();
        response.Headers.TryAddWithoutValidation("X-Robots-Tag", lines);
        return RobotsTag.OptOut(response.Headers, "ourbot");
    }
}
