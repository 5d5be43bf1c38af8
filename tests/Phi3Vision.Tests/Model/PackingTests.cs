using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

public sealed class PackingTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    /// <summary>The original positions of this model end at 32.</summary>
    [Theory]
    [InlineData(12, 40, 7)]
    [InlineData(33, 32)]
    [InlineData(9, 9, 9)]
    [InlineData(40, 40)]
    [InlineData(1, 5, 1)]
    [InlineData(6)]
    public void Samples_of_a_pack_have_the_logits_and_gradients_that_they_have_alone(params int[] lengths)
    {
        using var golden = GoldenCase.Load("tiny-longrope");
        var samples = lengths.Select((length, seed) => Text(length, golden.Model.Config.VocabSize, seed)).ToList();
        AssertSame(golden.Model, samples);
    }

    [Theory]
    [InlineData(2, 2)]
    [InlineData(3, 11)]
    public void A_pack_of_samples_with_images_is_the_samples_alone(int first, int second)
    {
        using var model = TinyModel.Create();
        AssertSame(model, [WithImage(first, 1, 1, seed: 1), WithImage(second, 1, 1, seed: 2)]);
    }

    [Fact]
    public void Images_of_a_pack_may_be_of_different_sizes()
    {
        using var model = TinyModel.Create();
        AssertSame(model, [WithImage(4, 1, 2, seed: 1), Text(8, 400, seed: 2), WithImage(3, 1, 1, seed: 3)]);
    }

    [Fact]
    public void A_pack_that_its_lengths_do_not_divide_is_refused()
    {
        using var model = TinyModel.Create();
        var ids = Text(6, 400, seed: 1).InputIds;
        Refused("do not divide", new ModelInput(ids, SegmentLengths: [2, 3]));
        Refused("do not divide", new ModelInput(ids, SegmentLengths: [0, 6]));
        Refused("do not divide", new ModelInput(ids, SegmentLengths: []));
        Refused("one row", new ModelInput(ids.view(2, 3), SegmentLengths: [3, 3]));
        Refused("cannot be used", new ModelInput(ids, AttentionMask: torch.ones_like(ids), SegmentLengths: [2, 4]));
        Refused("cannot be used", new ModelInput(ids, PositionIds: torch.ones_like(ids), SegmentLengths: [2, 4]));

        void Refused(string because, ModelInput input) =>
            Assert.Contains(because, Assert.Throws<ArgumentException>(() => model.forward(input)).Message);
    }

    private static void AssertSame(Phi3VisionModel model, IReadOnlyList<ModelInput> samples)
    {
        var alone = samples.Select(sample => model.forward(sample)).ToList();
        // Some number that depends on every logit.
        foreach (var logits in alone) logits.square().sum().backward();
        var expected = Gradients.Take(model);

        var packed = model.forward(Pack(samples));
        var expectedLogits = torch.cat(alone, dim: 1);
        Close.Assert(expectedLogits, packed, 1e-5 * Math.Max(1, expectedLogits.abs().max().item<float>()));
        packed.square().sum().backward();
        Gradients.AssertEqual(expected, Gradients.Take(model), 1e-5);
    }

    private static ModelInput Pack(IReadOnlyList<ModelInput> samples)
    {
        var withImages = samples.Where(sample => sample.PixelValues is not null).ToList();
        var views = withImages.Count == 0 ? 0 : withImages.Max(sample => sample.PixelValues!.shape[1]);
        return new ModelInput(
            torch.cat(samples.Select(sample => sample.InputIds).ToArray(), dim: 1),
            PixelValues: withImages.Count == 0
                ? null
                : torch.cat(withImages.Select(sample => TestImages.Filled(sample.PixelValues!, views)).ToArray()),
            ImageSizes: withImages.Count == 0 ? null : torch.cat(withImages.Select(sample => sample.ImageSizes!).ToArray()),
            SegmentLengths: [.. samples.Select(sample => sample.InputIds.shape[1])]);
    }

    private static ModelInput Text(int length, int vocabulary, int seed)
    {
        var random = new Random(seed);
        return TinyModel.Ids([.. Enumerable.Range(0, length).Select(_ => (long)random.Next(3, vocabulary - 10))]);
    }

    private static ModelInput WithImage(int text, int rows, int columns, int seed) =>
        TinyModel.Ids(
            [
                .. Enumerable.Repeat(-1L, ProcessedImage.TokensOf(rows, columns)),
                .. Enumerable.Range(5 + seed, text).Select(id => (long)id),
            ]) with
        {
            PixelValues = TestImages.Noise(rows * columns, seed),
            ImageSizes = TestImages.Size(rows, columns),
        };
}
