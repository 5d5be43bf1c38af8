using System.CommandLine;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>Options shared by several commands.</summary>
internal static class SharedOptions
{
    public static Option<int> Threads()
    {
        var option = new Option<int>("--threads")
        {
            Description = "CPU threads to compute with.",
            DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 1) result.AddError("--threads must be at least 1.");
        });
        return option;
    }

    public static Option<DirectoryInfo> Cache() => new("--cache")
    {
        Description = "Local folder for downloaded models and shards.",
        DefaultValueFactory = _ => new DirectoryInfo(Path.Combine(Path.GetTempPath(), "functions-pipeline")),
    };

    public static Option<string?> Device()
    {
        var option = new Option<string?>("--device") { Description = "cpu or cuda; a GPU is used where there is one when left out." };
        option.AcceptOnlyFromAmong("cpu", "cuda");
        return option;
    }

    public static Option<bool> FreeAnswers() => new("--free-answers")
    {
        Description =
            "Lets the model write anything. Otherwise answers keep to the template and the categories that the model was trained on.",
    };

    public static torch.Device Resolve(string? device) => new(device ?? (torch.cuda.is_available() ? "cuda" : "cpu"));
}
