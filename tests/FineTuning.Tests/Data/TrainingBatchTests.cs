using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Vision;
using FunctionsPipeline.Phi3Vision.Weights;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Tests.Data;

public sealed class TrainingBatchTests
{
    private const int View = 3 * 336 * 336;
    private static readonly (TrainingRow, IReadOnlyList<ProcessedImage>) Short =
        (new TrainingRow([1, -1, 7, 8], 2), [new ProcessedImage(Filled(2, 0.1f), 2, 336, 336, 1)]);
    private static readonly (TrainingRow, IReadOnlyList<ProcessedImage>) Long =
        (new TrainingRow([1, 2, -1, -1, 5, 6], 4), [new ProcessedImage(Filled(3, 0.2f), 3, 336, 672, 2)]);

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
        Assert.Equal((2, 4, 10, 12), (batch.Rows, batch.Labels, batch.Tokens, batch.PositionCount));
        Assert.Equal(2 / 12.0, batch.PaddingShare, 12);
    }

    [Fact]
    public void Packed_rows_lie_end_to_end()
    {
        using var scope = NewDisposeScope();
        var batch = new TrainingBatch([Short, Long], padding: 9, packing: true);
        var input = batch.Input(CPU);
        Assert.Equal([1, 10], input.InputIds.shape);
        Assert.Equal([1, -1, 7, 8, 1, 2, -1, -1, 5, 6], input.InputIds.data<long>().ToArray());
        Assert.Equal([4, 6], input.SegmentLengths!);
        Assert.Null(input.AttentionMask);
        Assert.Equal([1, 2, 7, 8], batch.Positions(CPU).data<long>().ToArray());
        Assert.Equal([7, 8, 5, 6], batch.Targets(CPU).data<long>().ToArray());
        Assert.Equal((2, 4, 10, 10, 0.0), (batch.Rows, batch.Labels, batch.Tokens, batch.PositionCount, batch.PaddingShare));
        Assert.Throws<ArgumentException>(() => new TrainingBatch([Short], padding: 9, padLeft: true, packing: true));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Features_in_place_of_pixels_give_the_same_loss(bool packing)
    {
        using var scope = NewDisposeScope();
        using var model = new Phi3VisionModel(SmallModel.Config);
        Initializer.Initialize(model, seed: 1);
        var samples = new[] { NoiseImage.Sample(3), NoiseImage.Sample(1) };
        var pixels = new TrainingBatch(samples, padding: 0, packing: packing);
        var features = new TrainingBatch(
            [.. samples.Select(sample => (sample.Row, (IReadOnlyList<ImageFeatures>)[model.Encode(sample.Images[0])]))],
            padding: 0, packing: packing);
        Assert.Null(features.Input(CPU).PixelValues);
        var loss = new AnswerLoss(model, CPU);
        Assert.Equal(loss.Sum(pixels), loss.Sum(features), 1e-4);
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
    public void Views_that_a_smaller_image_lacks_are_zeros()
    {
        using var scope = NewDisposeScope();
        var pixels = new TrainingBatch([Short, Long], padding: 9).Input(CPU).PixelValues!;
        Assert.Equal([2, 3, 3, 336, 336], pixels.shape);
        Assert.Equal([0.1f, 0.1f, 0f, 0.2f, 0.2f, 0.2f], pixels.select(-1, 335).select(-1, 335).select(-1, 2).data<float>().ToArray());
    }

    [Fact]
    public void An_image_of_one_crop_is_in_memory_once()
    {
        using var scope = NewDisposeScope();
        var pixels = new TrainingBatch([Short, Short], padding: 9).Input(CPU).PixelValues!;
        Assert.Equal([2, 2, 3, 336, 336], pixels.shape);
        Assert.Equal(0, pixels.stride(1));
        Assert.Equal(0.1f, pixels.min().item<float>());
    }

    private static float[] Filled(int views, float value)
    {
        var values = new float[views * View];
        Array.Fill(values, value);
        return values;
    }
}
