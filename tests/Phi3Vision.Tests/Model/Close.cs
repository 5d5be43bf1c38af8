using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

internal static class Close
{
    /// <param name="mask">I64 [B, L]: rows of padding have no meaning and are not compared.</param>
    public static void Assert(Tensor expected, Tensor actual, double tolerance, Tensor? mask = null, string because = "")
    {
        Xunit.Assert.Equal(expected.shape, actual.shape);
        var difference = (expected - actual).abs();
        if (mask is not null) difference = difference.masked_fill(mask.eq(0).unsqueeze(-1), 0);
        var worst = difference.max().item<float>();
        Xunit.Assert.True(worst <= tolerance, $"{because} differs by {worst}, more than {tolerance}");
    }
}
