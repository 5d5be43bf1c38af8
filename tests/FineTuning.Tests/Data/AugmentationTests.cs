using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class AugmentationTests
{
    private const int Side = 336;

    // A black pixel on white.
    private static readonly PaddedImage Picture = Draw(100, 200);

    [Theory]
    [InlineData(false, 0, 0, 100, 200)]
    [InlineData(true, 0, 0, 235, 200)]
    [InlineData(false, 0.05, -0.05, 117, 183)]
    [InlineData(true, -0.05, 0.05, 218, 217)]
    public void A_picture_is_mirrored_and_shifted_and_the_rest_is_white(bool mirrored, double right, double down, int x, int y) =>
        Assert.Equal(Draw(x, y).Rgb, new Augmentation(mirrored, right, down).Apply(Picture).Rgb);

    [Fact]
    public void Half_of_the_pictures_are_mirrored_and_shifts_spread_over_a_twelfth_each_way()
    {
        var drawn = Enumerable.Range(0, 1000).Select(i => Augmentation.Of(seed: 1, position: i)).ToList();
        Assert.InRange(drawn.Count(a => a.Mirrored), 440, 560);
        foreach (var shifts in new[] { drawn.Select(a => a.Right), drawn.Select(a => a.Down) })
        {
            Assert.InRange(shifts.Min(), -1 / 12.0, -0.08);
            Assert.InRange(shifts.Max(), 0.08, 1 / 12.0);
            Assert.InRange(shifts.Average(), -0.01, 0.01);
        }
    }

    [Fact]
    public void The_seed_and_the_place_in_the_run_decide()
    {
        Assert.Equal(Augmentation.Of(1, 500), Augmentation.Of(1, 500));
        Assert.NotEqual(Augmentation.Of(1, 500), Augmentation.Of(2, 500));
        Assert.Equal(1000, Enumerable.Range(0, 1000).Select(i => Augmentation.Of(1, i)).Distinct().Count());
    }

    private static PaddedImage Draw(int x, int y)
    {
        var rgb = new byte[Side * Side * 3];
        Array.Fill(rgb, (byte)255);
        rgb.AsSpan((y * Side + x) * 3, 3).Clear();
        return new PaddedImage(rgb, Side, Side);
    }
}
