using FunctionsPipeline.Phi3Vision.Model;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Model;

/// <summary>The gradients of a model's parameters, by name, of those that have one.</summary>
internal static class Gradients
{
    /// <summary>Takes them away from the model.</summary>
    public static Dictionary<string, Tensor> Take(Phi3VisionModel model)
    {
        var gradients = model.named_parameters()
            .Where(pair => pair.parameter.grad is not null)
            .ToDictionary(pair => pair.name, pair => pair.parameter.grad!.clone());
        model.zero_grad();
        return gradients;
    }

    /// <param name="tolerance">Of each gradient's largest value.</param>
    public static void AssertEqual(Dictionary<string, Tensor> expected, Dictionary<string, Tensor> actual, double tolerance)
    {
        Assert.NotEmpty(expected);
        Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
        // The same added to every key changes no softmax, so that the gradient of that bias is nothing but rounding.
        foreach (var (name, gradient) in expected.Where(pair => !pair.Key.EndsWith("k_proj.bias", StringComparison.Ordinal)))
            Close.Assert(gradient, actual[name], Math.Max(tolerance * gradient.abs().max().item<float>(), 1e-8), because: name);
    }
}
