using System.Text.Json;
using FunctionsPipeline.Phi3Vision.Images;

namespace FunctionsPipeline.Phi3Vision.Tests.Images;

public sealed class HdTransformTests
{
    [Fact]
    public void Sizes_are_the_published_ones_also_where_the_division_falls_below_the_integer()
    {
        var file = Path.Combine(AppContext.BaseDirectory, "Fixtures", "processor", "sizes.json");
        using var sizes = JsonDocument.Parse(File.ReadAllBytes(file));
        foreach (var row in sizes.RootElement.GetProperty("rows").EnumerateArray())
        {
            var values = row.EnumerateArray().Select(value => value.GetInt32()).ToArray();
            var shape = HdShape.Of(values[0], values[1], values[2]);
            var (width, height) = shape.PaddedSize;
            int[] resized = shape.Transposed ? [shape.ResizedHeight, shape.Width] : [shape.Width, shape.ResizedHeight];
            int[] actual = [.. resized, width, height, ProcessedImage.TokensOf(rows: height / 336, columns: width / 336)];
            Assert.Equal(values[3..], actual);
        }
    }
}
