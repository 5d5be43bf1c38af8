using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

public sealed class ImageFeaturesTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Phi3VisionModel _model = TinyModel.Create();

    // An image of one view, one whose crop is another image, and one of two crops; each with filler up to the largest.
    private readonly Tensor _pixels = torch.cat(
        [TestImages.Filled(TestImages.OfOneView(1), 3), TestImages.Filled(TestImages.Noise(1, 2), 3), TestImages.Noise(2, 3)]);
    private readonly Tensor _sizes = torch.cat([TestImages.Size(1, 1), TestImages.Size(1, 1), TestImages.Size(2, 1)]);

    public void Dispose()
    {
        _model.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public void Features_in_place_of_pixels_give_the_same_logits()
    {
        using var noGradients = torch.no_grad();
        var features = _model.ImageFeatures(_pixels, _sizes);
        Assert.Equal([1, 2, 3], features.Select(image => image.shape[0]));
        var ids = Ids();
        var expected = _model.forward(new ModelInput(ids, PixelValues: _pixels, ImageSizes: _sizes));
        Close.Assert(expected, _model.forward(new ModelInput(ids, ImageSizes: _sizes, ImageFeatures: features)), 1e-5);
    }

    [Fact]
    public void One_views_memory_may_serve_as_both_views()
    {
        using var noGradients = torch.no_grad();
        var views = torch.cat([TestImages.Noise(0, 4), TestImages.Noise(0, 5)]);
        var sizes = torch.cat([TestImages.Size(1, 1), TestImages.Size(1, 1)]);
        var copied = _model.ImageFeatures(torch.cat([views, views], dim: 1), sizes);
        var shared = _model.ImageFeatures(views.expand(-1, 2, -1, -1, -1), sizes);
        Assert.Equal([1, 1], shared.Select(image => image.shape[0]));
        Assert.All(copied.Zip(shared), pair => Assert.True(pair.First.Equals(pair.Second)));
    }

    [Fact]
    public void Features_computed_one_image_at_a_time_are_the_same()
    {
        using var noGradients = torch.no_grad();
        var together = _model.ImageFeatures(_pixels, _sizes);
        for (var i = 0; i < together.Count; i++)
            Close.Assert(together[i], _model.ImageFeatures(_pixels.narrow(0, i, 1), _sizes.narrow(0, i, 1))[0], 1e-5);
    }

    [Fact]
    public void Features_in_managed_memory_are_the_tensors_bytes()
    {
        using var noGradients = torch.no_grad();
        var processed = new ProcessedImage(
            _pixels.narrow(0, 2, 1).data<float>().ToArray(), Views: 3, Height: 672, Width: 336, ProcessedImage.TokensOf(2, 1));
        var features = _model.Encode(processed);
        Assert.Equal((3, 672, 336, processed.Tokens), (features.Views, features.Height, features.Width, features.Tokens));
        Assert.True(features.ToTensor(CPU).Equals(_model.ImageFeatures(_pixels.narrow(0, 2, 1), _sizes.narrow(0, 2, 1))[0]));
    }

    [Fact]
    public void Features_of_bfloat16_stay_bfloat16()
    {
        using var model = new Phi3VisionModel(Presets.Tiny(400), CPU, ScalarType.BFloat16);
        Initializer.Initialize(model, seed: 3);
        var features = model.Encode(new ProcessedImage(TestImages.OfOneView(1).data<float>().ToArray(), 2, 336, 336, 313));
        Assert.Equal((1, 576 * 64 * 2), (features.Views, features.Values.Length));
        Assert.Equal(ScalarType.BFloat16, features.ToTensor(CPU).dtype);
    }

    [Fact]
    public void Features_that_do_not_fit_are_refused()
    {
        var features = _model.ImageFeatures(_pixels, _sizes);
        Refused("two forms", new ModelInput(Ids(), PixelValues: _pixels, ImageSizes: _sizes, ImageFeatures: features));
        Refused("belong together", new ModelInput(Ids(), ImageFeatures: features));
        Refused(
            "image 2 must be [3, 576, 64]",
            new ModelInput(Ids(), ImageSizes: _sizes, ImageFeatures: [features[0], features[1], features[0]]));
        Refused("must be [2, 2]", new ModelInput(Ids(), ImageSizes: _sizes, ImageFeatures: [features[0], features[1]]));
    }

    private void Refused(string because, ModelInput input) =>
        Assert.Contains(because, Assert.Throws<ArgumentException>(() => _model.forward(input)).Message);

    private static Tensor Ids() => TinyModel.Ids(
        [
            1,
            .. Enumerable.Repeat(-1L, 313),
            .. Enumerable.Repeat(-2L, 313),
            .. Enumerable.Repeat(-3L, ProcessedImage.TokensOf(2, 1)),
            7,
        ]).InputIds;
}
