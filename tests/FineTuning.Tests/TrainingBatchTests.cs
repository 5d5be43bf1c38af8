using FunctionsPipeline.FineTuning;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class TrainingBatchTests
{
    private const int View = 3 * 336 * 336;
    private static readonly (TrainingRow, ImageViews) Short = (new TrainingRow([1, -1, 7, 8], 2), new ImageViews(Filled(2, 10), 2, 336, 336, 1));
    private static readonly (TrainingRow, ImageViews) Long = (new TrainingRow([1, 2, -1, -1, 5, 6], 4), new ImageViews(Filled(3, 20), 3, 336, 672, 2));

    [Fact]
    public void Shorter_rows_are_padded_on_the_right_and_every_label_has_the_position_before_it()
    {
        using var scope = NewDisposeScope();
        var batch = new TrainingBatch([Short, Long], padding: 9);
        var input = batch.Input(CPU);
        Assert.Equal([1, -1, 7, 8, 9, 9, 1, 2, -1, -1, 5, 6], input.InputIds.data<long>().ToArray());
        Assert.Equal([1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1], input.AttentionMask!.data<long>().ToArray());
        Assert.Equal([336, 336, 336, 672], input.ImageSizes!.data<long>().ToArray());
        Assert.Equal([1, 2, 9, 10], batch.Positions(CPU).data<long>().ToArray());
        Assert.Equal([7, 8, 5, 6], batch.Targets(CPU).data<long>().ToArray());
        Assert.Equal((2, 4, 10), (batch.Rows, batch.Labels, batch.Tokens));
    }

    [Fact]
    public void Prompts_are_padded_on_the_left_when_asked_to()
    {
        using var scope = NewDisposeScope();
        var input = new TrainingBatch([Short, Long], padding: 9, padLeft: true).Input(CPU);
        Assert.Equal([9, 9, 1, -1, 7, 8, 1, 2, -1, -1, 5, 6], input.InputIds.data<long>().ToArray());
        Assert.Equal([0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], input.AttentionMask!.data<long>().ToArray());
    }

    [Fact]
    public void Pixels_are_normalised_and_missing_views_are_filler()
    {
        using var scope = NewDisposeScope();
        var pixels = new TrainingBatch([Short, Long], padding: 9).Input(CPU).PixelValues!;
        Assert.Equal([2, 3, 3, 336, 336], pixels.shape);
        Assert.Equal((10 / 255f - 0.48145466f) / 0.26862954f, pixels[0, 1, 0, 5, 5].item<float>(), 1e-5f);
        Assert.Equal((20 / 255f - 0.40821073f) / 0.27577711f, pixels[1, 2, 2, 300, 0].item<float>(), 1e-5f);
    }

    [Fact]
    public void Normalised_bytes_come_back_as_they_were()
    {
        using var scope = NewDisposeScope();
        var bytes = new byte[View];
        for (var i = 0; i < View; i++) bytes[i] = (byte)i;
        var values = PixelNormalization.ToValues(tensor(bytes, [1, 3, 336, 336]));
        Assert.Equal(bytes, PixelNormalization.ToBytes(values.data<float>().ToArray()));
    }

    private static byte[] Filled(int views, byte value)
    {
        var bytes = new byte[views * View];
        Array.Fill(bytes, value);
        return bytes;
    }
}
