using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.Tests.FineTuning;

public sealed class AugmentationTests
{
    private const int Side = 336;

    // A black pixel on white.
    private static readonly HdPicture Picture = Draw(100, 200);

    [Theory]
    [InlineData(false, 0, 0, 100, 200)]
    [InlineData(true, 0, 0, 235, 200)]
    [InlineData(false, 0.05, -0.05, 117, 183)]
    [InlineData(true, -0.05, 0.05, 218, 217)]
    public void A_picture_is_mirrored_and_shifted_and_the_rest_is_white(bool mirrored, double right, double down, int x, int y) =>
        Assert.Equal(Draw(x, y).Rgb, new Augmentation(mirrored, right, down).Apply(Picture).Rgb);

    [Fact]
    public void Zooming_moves_away_from_the_middle_and_back_and_what_it_uncovers_is_white()
    {
        var black = new HdPicture(new byte[Side * Side * 3], Side, Side);
        var smaller = new Augmentation(false, 0, 0, Zoom: 0.5).Apply(black).Rgb;
        Assert.Equal(Side / 2 * (Side / 2) * 3, smaller.Count(value => value == 0));
        Assert.Equal((255, 0, 255), (smaller[(Side / 4 * Side + Side / 4 - 1) * 3], smaller[(Side / 4 * Side + Side / 4) * 3], smaller[0]));
        var larger = new Augmentation(false, 0, 0, Zoom: 2).Apply(Picture).Rgb;
        Assert.Equal(0, larger[(232 * Side + 32) * 3]);
        Assert.Equal(4 * 3, larger.Count(value => value == 0));
    }

    [Fact]
    public void Half_of_the_pictures_are_mirrored_shifts_spread_over_a_twelfth_each_way_and_sizes_over_a_fifth()
    {
        var drawn = Enumerable.Range(0, 1000).Select(i => Augmentation.Of(seed: 1, position: i)).ToList();
        Assert.InRange(drawn.Count(a => a.Mirrored), 440, 560);
        foreach (var shifts in new[] { drawn.Select(a => a.Right), drawn.Select(a => a.Down) })
        {
            Assert.InRange(shifts.Min(), -1 / 12.0, -0.08);
            Assert.InRange(shifts.Max(), 0.08, 1 / 12.0);
            Assert.InRange(shifts.Average(), -0.01, 0.01);
        }
        Assert.InRange(drawn.Min(a => a.Zoom), 1 / 1.2, 0.85);
        Assert.InRange(drawn.Max(a => a.Zoom), 1.18, 1.2);
    }

    [Fact]
    public void The_seed_and_the_place_in_the_run_decide()
    {
        Assert.Equal(Augmentation.Of(1, 500), Augmentation.Of(1, 500));
        Assert.NotEqual(Augmentation.Of(1, 500), Augmentation.Of(2, 500));
        Assert.Equal(1000, Enumerable.Range(0, 1000).Select(i => Augmentation.Of(1, i)).Distinct().Count());
    }

    private static HdPicture Draw(int x, int y)
    {
        var rgb = new byte[Side * Side * 3];
        Array.Fill(rgb, (byte)255);
        rgb.AsSpan((y * Side + x) * 3, 3).Clear();
        return new HdPicture(rgb, Side, Side);
    }
}
