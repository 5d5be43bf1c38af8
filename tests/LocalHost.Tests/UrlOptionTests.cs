using FunctionsPipeline.LocalHost.Uploads;

namespace FunctionsPipeline.LocalHost.Tests;

public class UrlOptionTests
{
    [Theory]
    [InlineData("https://huggingface.co")]
    [InlineData("http://127.0.0.1:7071/")]
    public void A_url_is_taken(string url)
    {
        Assert.Equal(new Uri(url), UpCommand.Create().Parse(["--hub", url]).GetValue<Uri?>("--hub"));
        Assert.Equal(new Uri(url), IngestCommand.Create().Parse([".", "--url", url]).GetValue<Uri>("--url"));
    }
}
