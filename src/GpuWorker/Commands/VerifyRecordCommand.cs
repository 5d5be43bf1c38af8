using System.CommandLine;
using FunctionsPipeline.GpuWorker.Verification;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary><c>verify record</c>: records a model's outputs, for other engines and machines to be compared with.</summary>
internal static class VerifyRecordCommand
{
    public static Command Create()
    {
        var model = new Option<DirectoryInfo>("--model") { Description = "A model folder.", Required = true };
        model.AcceptExistingOnly();
        var output = new Option<DirectoryInfo>("--out") { Description = "Folder to write; it must be new or empty.", Required = true };
        var prompts = new Option<string[]>("--prompt")
        {
            Description = "A prompt with its chat tags and <|image_1|> for its images, as the processor takes it; several make a batch. "
                + "The question that the model was trained with, for each image, when left out.",
        };
        var images = new Option<FileInfo[]>("--image")
        {
            Description = "The images of all prompts, in order.",
            AllowMultipleArgumentsPerToken = true,
        };
        images.AcceptExistingOnly();
        var answers = new Option<string[]>("--answer") { Description = "The answer to each prompt; with it the loss is recorded." };
        var gradients = new Option<bool>("--gradients") { Description = "Record the gradient of every parameter: as large as the model." };
        var withWeights = new Option<bool>("--with-weights")
        {
            Description = "Copy the weights into the recording; otherwise it names the model folder, and verify takes --model.",
        };
        var crops = Positive("--crops", "Crops of an image at most; what the model was trained with when left out.", null);
        var tokens = Positive("--tokens", "Tokens to generate for each prompt.", 16);
        var threads = SharedOptions.Threads();
        var device = SharedOptions.Device();
        var command = new Command("record",
            """
            Writes a recording of a model: inputs, hidden states, logits, greedy tokens with and without cache, and with answers the loss.
            On the same machine, with the same number of threads, verify finds no difference at all.

            Examples: verify record --model models/phi-3-vision --image shirt.jpg --out recordings/shirt
                      verify record --model base --image a.png --image b.png --answer Hats --answer Coats --gradients --out recordings/two
                      verify record --model base --prompt '<|user|>Who are you?<|end|><|assistant|>' --with-weights --out recordings/text
                      verify model recordings/shirt --model models/phi-3-vision
            """)
        { model, output, prompts, images, answers, gradients, withWeights, crops, tokens, threads, device };
        command.Validators.Add(result =>
        {
            var asked = result.GetValue(prompts) is { Length: > 0 } given ? given.Length : result.GetValue(images)?.Length ?? 0;
            if (asked == 0) result.AddError("--prompt or --image is needed: there is nothing to record.");
            var answered = result.GetValue(answers)?.Length ?? 0;
            if (answered > 0 && answered != asked)
                result.AddError($"--answer must be given for each of the {asked} prompts, but is given {answered} times.");
            if (result.GetValue(gradients) && answered == 0)
                result.AddError("--gradients needs --answer: they are those of the answers' loss.");
        });
        command.SetAction(parsed => VerifyCommand.Run(() =>
        {
            torch.set_num_threads(parsed.GetValue(threads));
            var request = new RecordingRequest
            {
                Model = parsed.GetRequiredValue(model).FullName,
                Output = parsed.GetRequiredValue(output).FullName,
                Prompts = parsed.GetValue(prompts) ?? [],
                Images = [.. (parsed.GetValue(images) ?? []).Select(image => image.FullName)],
                Answers = parsed.GetValue(answers) ?? [],
                Gradients = parsed.GetValue(gradients),
                WithWeights = parsed.GetValue(withWeights),
                Crops = parsed.GetValue(crops),
                Tokens = parsed.GetValue(tokens)!.Value,
            };
            var bytes = ModelRecorder.Record(request, SharedOptions.Resolve(parsed.GetValue(device)));
            Console.WriteLine($"{request.Output}: {bytes / 1e6:0.0} MB recorded.");
            return CommandLine.Done;
        }));
        return command;
    }

    private static Option<int?> Positive(string name, string description, int? defaultValue)
    {
        var option = new Option<int?>(name) { Description = description, DefaultValueFactory = _ => defaultValue };
        option.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValueOrDefault<int?>() is < 1) result.AddError($"{name} must be at least 1.");
        });
        return option;
    }
}
