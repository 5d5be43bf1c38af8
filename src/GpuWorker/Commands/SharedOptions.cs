using System.CommandLine;
using FunctionsPipeline.FineTuning.Tracking;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary>Options shared by several commands.</summary>
internal static class SharedOptions
{
    public static Option<int> Threads() => AtLeast("--threads", 1, Environment.ProcessorCount, "CPU threads to compute with.");

    public static Option<string> Run() => new("--run")
    {
        Description = "Id of the run; its job is runs/{id}/request.json in storage.",
        Required = true,
    };

    public static Option<DirectoryInfo?> StorageFolder() => new("--folder")
    {
        Description = "A local folder in place of blob storage, with one sub-folder for each container.",
    };

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

    public static Option<string?> Precision()
    {
        var option = new Option<string?>("--precision")
        {
            Description = "Type of the weights: float32, bfloat16 or float16; left out: float32 on a CPU, bfloat16 on a GPU that has it "
                + "and float16 on an older one.",
        };
        option.AcceptOnlyFromAmong("float32", "bfloat16", "float16");
        return option;
    }

    public static torch.ScalarType Resolve(string? precision, torch.Device device) => precision switch
    {
        "float32" => torch.ScalarType.Float32,
        "bfloat16" => torch.ScalarType.BFloat16,
        "float16" => torch.ScalarType.Float16,
        _ when device.type != DeviceType.CUDA => torch.ScalarType.Float32,
        _ => NvidiaGpu.Find() is { HasBf16: true } ? torch.ScalarType.BFloat16 : torch.ScalarType.Float16,
    };

    /// <summary>Makes an option for a number that must not be less than another.</summary>
    public static Option<int> AtLeast(string name, int least, int defaultValue, string description)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => defaultValue };
        option.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValueOrDefault<int>() < least) result.AddError($"{name} must be at least {least}.");
        });
        return option;
    }
}
