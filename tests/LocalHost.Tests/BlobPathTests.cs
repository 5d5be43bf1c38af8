using FunctionsPipeline.LocalHost.Blobs;

namespace FunctionsPipeline.Tests.LocalHost;

public sealed class BlobPathTests
{
    [Theory]
    [InlineData("images/{name}", "a/b/c.jpg", "a/b/c.jpg")]
    [InlineData("images", "a/b.jpg", "a/b.jpg")]
    [InlineData("images/in/{name}.jpg", "in/a.b.jpg", "a.b")]
    [InlineData("images/in/{name}.jpg", "in/a.png", null)]
    [InlineData("images/in/{name}.jpg", "out/a.jpg", null)]
    public void A_path_pattern_names_parts_of_a_blobs_name(string path, string blob, string? name)
    {
        Assert.Equal(name, BlobPath.Parse(path).Match(blob)?["name"]);
    }

    [Theory]
    [InlineData("{container}/{name}")]
    [InlineData("images/{name")]
    [InlineData("images/{}")]
    public void A_path_pattern_that_makes_no_sense_is_refused(string path) => Assert.Throws<FormatException>(() => BlobPath.Parse(path));
}
