using FunctionsPipeline.LocalHost.Uploads;

namespace FunctionsPipeline.LocalHost.Tests;

public class UrlOptionTests
{
    [Theory]
    [InlineData("https://huggingface.co", 0)]
    [InlineData("http://127.0.0.1:7071/", 0)]
    [InlineData("huggingface", 1)]
    [InlineData("file:///etc", 1)]
    public void Only_an_http_url_is_taken(string url, int errors)
    {
        Assert.Equal(errors, UpCommand.Create().Parse(["--hub", url]).Errors.Count);
        Assert.Equal(errors, IngestCommand.Create().Parse([".", "--url", url]).Errors.Count);
    }
}
