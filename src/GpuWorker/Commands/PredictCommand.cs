using System.CommandLine;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary><c>predict</c>: answers for local image files, without storage.</summary>
internal static class PredictCommand
{
    public static Command Create()
    {
        var model = new Option<DirectoryInfo>("--model") { Description = "A model folder.", Required = true };
        model.AcceptExistingOnly();
        var json = new Option<bool>("--json")
        {
            Description = "A JSON line for each image in place of text, with the probability of the answer and of each of its tokens.",
        };
        var images = new Argument<FileInfo[]>("image") { Description = "JPEG, PNG, WebP, GIF or BMP files.", Arity = ArgumentArity.OneOrMore };
        var generation = new GenerationOptions();
        var threads = SharedOptions.Threads();
        var device = SharedOptions.Device();
        var command = new Command("predict",
            """
            Prints what a model reads in image files, as it comes. Ends with 1 when a file could not be read; the others are
            answered all the same.

            Examples: predict --model models/spring-catalog shirt.jpg shoes.png
                      predict --model models/spring-catalog shirt.jpg --json | jq .confidence
                      predict --model models/spring-catalog shirt.jpg --temperature 0.7 --top-p 0.9 --seed 1 --max-tokens 40
            """)
        { model, json, images, threads, device };
        generation.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            torch.set_num_threads(parsed.GetValue(threads));
            using var predictor = new Predictor(parsed.GetRequiredValue(model).FullName, SharedOptions.Resolve(parsed.GetValue(device)));
            var settings = generation.Read(parsed, predictor.Generation);
            var code = CommandLine.Done;
            foreach (var image in parsed.GetRequiredValue(images))
            {
                var answered = parsed.GetValue(json)
                    ? PrintJson(predictor, image, settings, cancellationToken)
                    : await PrintTextAsync(predictor, image, settings, cancellationToken);
                if (!answered) code = CommandLine.Failed;
            }
            return code;
        });
        return command;
    }

    private static async Task<bool> PrintTextAsync(
        Predictor predictor, FileInfo image, GenerationSettings settings, CancellationToken cancellationToken)
    {
        var begun = false;
        try
        {
            await foreach (var piece in predictor.StreamAsync(Read(image), settings, cancellationToken))
            {
                if (!begun) Console.Write($"{image.Name}: ");
                begun = true;
                Console.Write(piece);
                Console.Out.Flush();
            }
            Console.WriteLine(begun ? "" : $"{image.Name}:");
            return true;
        }
        catch (UnreadableImageException e)
        {
            Console.Error.WriteLine($"{image.Name}: {e.Message}");
            return false;
        }
    }

    private static bool PrintJson(Predictor predictor, FileInfo image, GenerationSettings settings, CancellationToken cancellationToken)
    {
        try
        {
            var predicted = predictor.Answer(Read(image), settings, cancellationToken);
            var answer = predicted.Read;
            Console.WriteLine(JsonSerializer.Serialize(
                new
                {
                    image = image.Name,
                    answer = predicted.Text,
                    answer?.Title,
                    answer?.Category,
                    answer?.Price,
                    confidence = Math.Round(predicted.Confidence, 4),
                    logProbability = Math.Round(predicted.LogProbability, 4),
                    tokens = predicted.Generated.Tokens.Select(
                        token => new { token.Id, logProbability = Math.Round(token.LogProbability, 4) }),
                    complete = predicted.Generated.Stopped,
                },
                PipelineJson.Compact));
            return true;
        }
        catch (UnreadableImageException e)
        {
            Console.WriteLine(JsonSerializer.Serialize(new { image = image.Name, e.Reason, e.Detail }, PipelineJson.Compact));
            return false;
        }
    }

    /// <exception cref="UnreadableImageException">There is no such file, or it exceeds the size limit of images.</exception>
    private static byte[] Read(FileInfo file)
    {
        try
        {
            if (file.Length > ImageLimits.Default.MaxBytes)
                throw new UnreadableImageException(
                    Rejection.TooLarge, $"{file.Length:N0} bytes; at most {ImageLimits.Default.MaxBytes:N0} are read");
            return File.ReadAllBytes(file.FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UnreadableImageException(Rejection.NotFound, e.Message, e);
        }
    }
}
