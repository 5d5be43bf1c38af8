using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.GpuWorker.Serving;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Model;
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
            Description = "A JSON line for each image in place of text, with the probability of the answer, its fields and its tokens.",
        };
        var images = new Argument<FileInfo[]>("image")
        {
            Description = "JPEG, PNG, WebP, GIF or BMP files.",
            Arity = ArgumentArity.OneOrMore,
        };
        var generation = new GenerationOptions();
        var freeAnswers = SharedOptions.FreeAnswers();
        var threads = SharedOptions.Threads();
        var device = SharedOptions.Device();
        var precision = SharedOptions.Precision();
        var command = new Command("predict",
            """
            Prints what a model reads in image files, as it comes. Ends with 1 when a file could not be read; the others are
            answered all the same.

            Examples: predict --model models/spring-catalog shirt.jpg shoes.png
                      predict --model models/spring-catalog shirt.jpg --json | jq .confidence.category
                      predict --model models/spring-catalog shirt.jpg --temperature 0.7 --top-p 0.9 --seed 1 --max-tokens 40
            """)
        { model, json, images, freeAnswers, threads, device, precision };
        generation.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            torch.set_num_threads(parsed.GetValue(threads));
            var computesOn = SharedOptions.Resolve(parsed.GetValue(device));
            using var predictor = new Predictor(
                parsed.GetRequiredValue(model).FullName, computesOn, SharedOptions.Resolve(parsed.GetValue(precision), computesOn),
                parsed.GetValue(freeAnswers));
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
            await foreach (var (text, _) in predictor.StreamAsync(predictor.Prepare(Read(image)), settings, cancellationToken))
            {
                if (text.Length == 0) continue;
                if (!begun) Console.Write($"{image.Name}: ");
                begun = true;
                Console.Write(text);
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
            var predicted = predictor.Answer([predictor.Prepare(Read(image))], settings, cancellationToken)[0];
            var answer = predicted.Read;
            Console.WriteLine(JsonSerializer.Serialize(
                new
                {
                    image = image.Name,
                    answer = predicted.Text,
                    answer?.Title,
                    answer?.Category,
                    answer?.Price,
                    answer?.Fields,
                    confidence = new
                    {
                        answer = Round(predicted.Confidence.Answer),
                        title = Round(predicted.Confidence.Title),
                        category = Round(predicted.Confidence.Category),
                        price = Round(predicted.Confidence.Price),
                        fields = predicted.Confidence.Fields?.ToDictionary(field => field.Key, field => Round(field.Value)),
                    },
                    logProbability = Round(predicted.LogProbability),
                    tokens = predicted.Generated.Tokens.Select(token => new { token.Id, logProbability = Round(token.LogProbability) }),
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

    private static double? Round(double? value) => value is { } number ? Math.Round(number, 4) : null;

    /// <exception cref="UnreadableImageException">There is no such file, or it exceeds the size limit of images.</exception>
    private static byte[] Read(FileInfo file)
    {
        try
        {
            if (file.Length > ImageLimits.Default.MaxBytes)
            {
                throw new UnreadableImageException(
                    Rejection.TooLarge, $"{file.Length:N0} bytes; at most {ImageLimits.Default.MaxBytes:N0} are read");
            }
            return File.ReadAllBytes(file.FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UnreadableImageException(Rejection.NotFound, e.Message, e);
        }
    }
}

/// <summary>Command-line options for the generation of answers.</summary>
internal sealed class GenerationOptions
{
    private readonly Option<int?> _maxTokens = Checked<int?>(
        "--max-tokens", "Tokens of an answer at most; what the model was trained for when left out.",
        value => value is null or >= 1, "at least 1");

    private readonly Option<double> _temperature = Checked(
        "--temperature", "0 takes the most likely token; above, tokens are drawn, 1 as likely as the model says.",
        value => value >= 0 && double.IsFinite(value), "0 or above", 0.0);

    private readonly Option<int> _topK = Checked(
        "--top-k", "Draw from this many of the most likely tokens; 0 from all.", value => value >= 0, "0 or above", 0);

    private readonly Option<double> _topP = Checked(
        "--top-p", "Draw from the most likely tokens that together are this probable; 1 from all.",
        value => value is > 0 and <= 1, "above 0 and at most 1", 1.0);

    private readonly Option<int> _seed = new("--seed")
    {
        Description = "The same seed draws the same answer.",
        DefaultValueFactory = _ => 0,
    };

    private readonly Option<double> _penalty = Checked(
        "--repetition-penalty", "Above 1 makes tokens less likely that occurred already.",
        value => value > 0 && double.IsFinite(value), "above 0", 1.0);

    /// <summary>Adds the options to a command, together with the validation of their combination.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_maxTokens, _temperature, _topK, _topP, _seed, _penalty]) command.Add(option);
        command.Validators.Add(result =>
        {
            if (result.Children.OfType<OptionResult>().Any(option => option.Errors.Any())) return;
            if (Given(result, _temperature, 0) == 0 && (Given(result, _topK, 0) > 0 || Given(result, _topP, 1) < 1))
                result.AddError("--top-k and --top-p need a --temperature above 0: without one nothing is drawn.");
        });
    }

    /// <summary>Reads the options that were given; others keep their value in <paramref name="defaults"/>.</summary>
    public GenerationSettings Read(ParseResult parsed, GenerationSettings defaults) => defaults with
    {
        MaxTokens = parsed.GetValue(_maxTokens) ?? defaults.MaxTokens,
        Temperature = parsed.GetValue(_temperature),
        TopK = parsed.GetValue(_topK),
        TopP = parsed.GetValue(_topP),
        Seed = parsed.GetValue(_seed),
        RepetitionPenalty = parsed.GetValue(_penalty),
    };

    // Default values are not assigned yet while validators run, so options that were left out are detected here.
    private static T Given<T>(CommandResult result, Option<T> option, T otherwise) where T : struct =>
        result.GetResult(option) is { Implicit: false } given ? given.GetValueOrDefault<T>() : otherwise;

    private static Option<T> Checked<T>(string name, string description, Func<T?, bool> fits, string must, T? defaultValue = default)
    {
        var option = new Option<T>(name) { Description = description };
        if (defaultValue is not null) option.DefaultValueFactory = _ => defaultValue;
        option.Validators.Add(result =>
        {
            if (!result.Errors.Any() && !fits(result.GetValueOrDefault<T>())) result.AddError($"{name} must be {must}.");
        });
        return option;
    }
}
