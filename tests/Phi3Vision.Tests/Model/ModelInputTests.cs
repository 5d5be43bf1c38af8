using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

/// <summary>Input that does not fit is refused before it reaches the native library, which might end the process.</summary>
public sealed class ModelInputTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Phi3VisionModel _model = new(Presets.Tiny(400));

    public void Dispose()
    {
        _model.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public void Ids_must_be_integers_of_two_dimensions_within_the_vocabulary()
    {
        Refused("InputIds", new ModelInput(torch.ones(3, dtype: ScalarType.Int64)));
        Refused("InputIds", new ModelInput(torch.ones(1, 3)));
        Refused("vocabulary", new ModelInput(torch.full(1, 3, 400, dtype: ScalarType.Int64)));
    }

    [Fact]
    public void Masks_and_positions_must_have_the_shape_of_the_ids()
    {
        var ids = torch.ones(2, 3, dtype: ScalarType.Int64);
        Refused("AttentionMask", new ModelInput(ids, AttentionMask: torch.ones(2, 4, dtype: ScalarType.Int64)));
        Refused("PositionIds", new ModelInput(ids, PositionIds: torch.ones(1, 3, dtype: ScalarType.Int64)));
    }

    [Fact]
    public void Images_must_take_as_many_positions_as_the_ids_have()
    {
        var pixels = torch.zeros(1, 2, 3, 336 * 336).view(1, 2, 3, 336, 336);
        var size = torch.full(1, 2, 336, dtype: ScalarType.Int64);
        var ids = torch.full(1, 313, -1, dtype: ScalarType.Int64);
        Assert.Equal([1, 313, 400], _model.forward(new ModelInput(ids, PixelValues: pixels, ImageSizes: size)).shape);
        Refused("313", new ModelInput(torch.full(1, 312, -1, dtype: ScalarType.Int64), PixelValues: pixels, ImageSizes: size));
        Refused("image positions", new ModelInput(ids));
        Refused("belong together", new ModelInput(ids, PixelValues: pixels));
        Refused("multiples of 336", new ModelInput(ids, PixelValues: pixels, ImageSizes: size + 1));
        Refused("crops", new ModelInput(ids, PixelValues: pixels, ImageSizes: size * 2));
    }

    [Fact]
    public void Hidden_states_of_another_width_are_refused() =>
        Assert.Throws<ArgumentException>(() => _model.Logits(torch.ones(1, 1, 64)));

    [Fact]
    public void A_full_cache_and_one_that_would_record_gradients_are_refused()
    {
        using var cache = new KeyValueCache(_model, batch: 1, capacity: 2);
        var ids = torch.ones(1, 3, dtype: ScalarType.Int64);
        Assert.Contains("room for 2", Assert.Throws<ArgumentException>(() => _model.forward(new ModelInput(ids), cache)).Message);
        Assert.Throws<InvalidOperationException>(() => _model.forward(new ModelInput(ids.narrow(1, 0, 2)), cache));
    }

    private void Refused(string because, ModelInput input) =>
        Assert.Contains(because, Assert.Throws<ArgumentException>(() => _model.forward(input)).Message);
}
