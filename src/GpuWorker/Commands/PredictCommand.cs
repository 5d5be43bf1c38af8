using System.CommandLine;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Images;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary><c>predict</c>: answers for image files, without storage.</summary>
internal static class PredictCommand
{
    public static Command Create()
    {
        var model = new Option<DirectoryInfo>("--model") { Description = "A model folder.", Required = true };
        model.AcceptExistingOnly();
        var json = new Option<bool>("--json") { Description = "A JSON line for each image in place of text." };
        var images = new Argument<FileInfo[]>("image") { Description = "JPEG, PNG or WebP files.", Arity = ArgumentArity.OneOrMore };
        images.AcceptExistingOnly();
        var threads = SharedOptions.Threads();
        var device = SharedOptions.Device();
        var command = new Command("predict",
            """
            Prints what a model reads in image files. Ends with 1 when an image could not be read; the others are answered all the same.

            Example: predict --model models/spring-catalog shirt.jpg shoes.png
            """)
        { model, json, images, threads, device };
        command.SetAction((parsed, cancellationToken) =>
        {
            torch.set_num_threads(parsed.GetValue(threads));
            return Task.FromResult(Run(parsed.GetRequiredValue(model).FullName, parsed.GetRequiredValue(images), parsed.GetValue(json),
                SharedOptions.Resolve(parsed.GetValue(device)), cancellationToken));
        });
        return command;
    }

    private static int Run(string folder, FileInfo[] images, bool json, torch.Device device, CancellationToken cancellationToken)
    {
        var code = CommandLine.Done;
        using var predictor = new Predictor(folder, device);
        foreach (var image in images)
        {
            try
            {
                var text = predictor.Answer(File.ReadAllBytes(image.FullName), cancellationToken);
                var answer = Answer.Parse(text);
                var line = new { image = image.Name, answer = text, answer?.Title, answer?.Category, answer?.Price };
                Console.WriteLine(json ? JsonSerializer.Serialize(line, PipelineJson.Compact) : $"{image.Name}: {text}");
            }
            catch (UnreadableImageException e)
            {
                if (json) Console.WriteLine(JsonSerializer.Serialize(new { image = image.Name, e.Reason, e.Detail }, PipelineJson.Compact));
                else Console.Error.WriteLine($"{image.Name}: {e.Message}");
                code = CommandLine.Failed;
            }
        }
        return code;
    }
}
