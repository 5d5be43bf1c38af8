using System.Text.Json;

namespace FunctionsPipeline.Contracts.Tests;

public class PipelineJsonTests
{
    [Fact]
    public void An_unknown_member_is_told_with_those_that_there_are()
    {
        var error = Assert.Throws<JsonException>(
            () => JsonSerializer.Deserialize<DatasetRequest>("""{ "columns": { "picture": "photo" } }""", PipelineJson.Options));
        Assert.Equal("there is no member 'picture'; there are image, title, category, price, fields, product. "
            + "Path: $.columns.picture | LineNumber: 0", PipelineJson.Explain(error));
    }

    [Fact]
    public void Other_errors_keep_their_message()
    {
        var error = Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<DatasetRequest>("{ \"rows\"", PipelineJson.Options));
        Assert.Equal(error.Message, PipelineJson.Explain(error));
    }
}
