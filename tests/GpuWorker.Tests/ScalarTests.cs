using Mono.Cecil;

namespace FunctionsPipeline.GpuWorker.Tests;

/// <summary>
/// Nothing of ours lets TorchSharp make a number for a call into native code, where a collection may free it too early. The analyzer bans
/// most of it while one writes; here every call is followed into the library's own code, where numbers are hidden.
/// </summary>
public sealed class ScalarTests
{
    private const string Scalar = "TorchSharp.Scalar";
    private const string Exempt = "FunctionsPipeline.Phi3Vision.TensorArithmetic";

    private static readonly Lazy<HashSet<string>> Makers = new(FindMakers);

    [Theory]
    [InlineData("FunctionsPipeline.Phi3Vision")]
    [InlineData("FunctionsPipeline.FineTuning")]
    [InlineData("FunctionsPipeline.GpuWorker")]
    public void No_call_makes_a_number_that_nothing_holds(string assembly) => Assert.Empty(
        from method in Methods(assembly)
        where method.DeclaringType.FullName != Exempt
        from called in Calls(method)
        where Makers.Value.Overlaps([called.FullName, called.DeclaringType.FullName, called.ReturnType.FullName])
        select $"{method} calls {called}");

    [Theory]
    [InlineData("TorchSharp.Scalar TorchSharp.Scalar::op_Implicit(System.Double)")]
    [InlineData("TorchSharp.torch/Tensor TorchSharp.torch/Tensor::op_Addition(TorchSharp.torch/Tensor,TorchSharp.torch/Tensor)")]
    [InlineData("TorchSharp.torch/Tensor TorchSharp.torch/Tensor::square()")]
    [InlineData("TorchSharp.Modules.AdamW")]
    [InlineData("TorchSharp.Modules.Softplus")]
    public void Hidden_numbers_are_found(string maker) => Assert.Contains(maker, Makers.Value);

    /// <summary>Methods that make numbers, themselves or by what they call, and modules and optimizers whose overrides do.</summary>
    private static HashSet<string> FindMakers()
    {
        var methods = Methods("TorchSharp")
            .Select(method => (Method: method, Calls: Calls(method).Select(called => called.FullName).ToList())).ToList();
        var makers = methods.Select(m => m.Method).Where(method => method.ReturnType.FullName == Scalar)
            .Select(method => method.FullName).ToHashSet();
        while (methods.RemoveAll(m => m.Calls.Exists(makers.Contains) && makers.Add(m.Method.FullName)) > 0) { }
        makers.UnionWith(
            from method in Methods("TorchSharp")
            where method.IsVirtual && method.IsReuseSlot && makers.Contains(method.FullName)
            select method.DeclaringType.FullName);
        return makers;
    }

    private static IEnumerable<MethodDefinition> Methods(string assembly) =>
        ModuleDefinition.ReadModule(Path.Combine(AppContext.BaseDirectory, assembly + ".dll")).GetTypes().SelectMany(type => type.Methods);

    private static IEnumerable<MethodReference> Calls(MethodDefinition method) =>
        method.HasBody
            ? method.Body.Instructions.Select(i => i.Operand).OfType<MethodReference>().Select(called => called.GetElementMethod())
            : [];
}
