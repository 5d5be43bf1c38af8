using System.CommandLine;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.LocalHost.Demo;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.LocalHost;

/// <summary><c>demo</c>: runs the complete pipeline on sample data and checks the results.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var images = new Option<DirectoryInfo?>("--images")
        {
            Description = "A folder of pictures, {split}/{label}/*.jpg. Left out: drawn garments with title, category and price.",
        };
        var rows = new Option<int>("--rows") { Description = "Rows of the dataset.", DefaultValueFactory = _ => 800 };
        var faults = new Option<bool>("--faults")
        {
            Description = "Have the sample hub fail as real ones do: of the pictures 1 % are gone, 1 % busy at first, 1 % stall, 1 % are damaged, and a connection breaks. What became of each is checked.",
        };
        var minutes = new Option<double?>("--minutes") { Description = "Training time at most, in minutes. Left out: what the sample needs." };
        var training = new Option<FileInfo?>("--training")
        {
            Description = "A JSON file with training settings, as in the request of a run ('./pipeline worker train --help' explains them). Left out: what the sample needs.",
        };
        images.Validators.Add(result =>
        {
            if (result.GetValue(images) is { Exists: false } folder) result.AddError($"--images: there is no folder {folder.FullName}");
        });
        rows.Validators.Add(result =>
        {
            if (result.GetValue(rows) < 100) result.AddError("--rows: at least 100, so that there is something to learn from and to validate on");
        });
        var command = new Command("demo", "Ingests a sample dataset, trains a tiny model on it, uploads new images, and shows what it reads in them.")
        {
            images, rows, faults, minutes, training,
        };
        training.Validators.Add(result =>
        {
            try
            {
                if (result.GetValue(training) is { } file) ReadTraining(file);
            }
            catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
            {
                result.AddError($"--training: {e.Message}");
            }
        });
        command.SetAction((arguments, cancellationToken) => DemoRun.RunAsync(
            new DemoOptions
            {
                Images = arguments.GetValue(images)?.FullName,
                Rows = arguments.GetValue(rows),
                Faults = arguments.GetValue(faults),
                Minutes = arguments.GetValue(minutes),
                Training = arguments.GetValue(training) is { } file ? ReadTraining(file) : null,
                StateFolder = Path.Combine(Applications.StateFolder, "demo"),
            },
            cancellationToken));
        return command;
    }

    private static TrainingSettings ReadTraining(FileInfo file) =>
        JsonSerializer.Deserialize<TrainingSettings>(File.ReadAllBytes(file.FullName), PipelineJson.Options)
        ?? throw new JsonException("it holds null");
}
