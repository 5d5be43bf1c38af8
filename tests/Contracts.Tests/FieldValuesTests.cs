using System.Text.Json;

namespace FunctionsPipeline.Contracts.Tests;

public sealed class FieldValuesTests
{
    [Fact]
    public void Values_are_plain_JSON_in_the_order_of_their_names()
    {
        const string json = """{"brand":"Acme","materials":["wool","silk"],"weight":1.5}""";
        var values = new FieldValues(new Dictionary<string, FieldValue>
        {
            ["weight"] = new(1.5), ["materials"] = new(["wool", "silk"]), ["brand"] = new("Acme"),
        });
        Assert.Equal(json, JsonSerializer.Serialize(values, PipelineJson.Compact));
        Assert.Equal(values, JsonSerializer.Deserialize<FieldValues>(json, PipelineJson.Compact));
    }

    [Theory]
    [InlineData("""{"brand":true}""")]
    [InlineData("""{"materials":["wool",1]}""")]
    public void Another_type_is_refused(string json) =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<FieldValues>(json, PipelineJson.Compact));
}
