using System.CommandLine;
using System.CommandLine.Parsing;
using FunctionsPipeline.GpuWorker.Verification;
using FunctionsPipeline.Phi3Vision.Text;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary><c>verify</c>: compares this machine and a model with recorded outputs.</summary>
internal static class VerifyCommand
{
    /// <summary>Exit code when an output is out of tolerance.</summary>
    public const int Differs = 1;

    /// <summary>Exit code when the command line is invalid or a file that it names cannot be read.</summary>
    public const int Unusable = 2;

    private const string Name = "verify";

    public static Command Create() => new(Name,
        """
        Computes what recordings hold and compares, a line for each case: every recorded output with its largest difference (and its
        tolerance). A recording is a folder with inputs and outputs of the model, the image processor or the tokenizer; a folder of such
        folders is searched. What is recorded and cannot be compared is named as not checked.

        Exit codes: 0 everything agrees; 1 something is out of tolerance; 2 the command line makes no sense or a folder cannot be read.

        Examples: verify model recordings/tiny-image
                  verify model recordings --model models/phi-3-vision
                  verify processor recordings/processor
                  verify tokenizer recordings/tokenizer --tokenizer models/phi-3-vision
                  verify record --model models/phi-3-vision --image shirt.jpg --out recordings/shirt
        """)
    {
        Model(), Processor(), TokenizerCommand(), VerifyRecordCommand.Create(),
    };

    /// <summary>True when a command line is <c>verify</c> or one of its subcommands, which have exit codes of their own.</summary>
    public static bool IsMeant(ParseResult parsed)
    {
        for (SymbolResult? result = parsed.CommandResult; result is not null; result = result.Parent)
            if (result is CommandResult { Command.Name: Name }) return true;
        return false;
    }

    /// <summary>Runs an action and turns its expected exceptions into a message and an exit code.</summary>
    public static int Run(Func<int> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is CommandException or IOException or InvalidDataException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return Unusable;
        }
    }

    private static Command Model()
    {
        var folder = Folder(
            "Folder of a case (io.safetensors, case.json, and config.json with model.safetensors or the base that case.json names), "
            + "or of cases.");
        var weights = new Option<DirectoryInfo>("--model")
        {
            Description = "A model folder to verify in place of the weights that the cases name.",
        };
        weights.AcceptExistingOnly();
        var threads = SharedOptions.Threads();
        var device = SharedOptions.Device();
        var json = Json();
        var command = new Command("model",
            """
            Features, hidden states, logits, loss, gradients, greedy tokens with and without cache, training steps.

            Examples: verify model recordings/tiny-image
                      verify model recordings --json | jq 'select(.outcome == "differs")'
                      verify model recordings/shirt --model models/phi-3-vision --device cuda
            """)
        { folder, weights, threads, device, json };
        command.SetAction(parsed =>
        {
            torch.set_num_threads(parsed.GetValue(threads));
            var verifier = new ModelVerifier(parsed.GetValue(weights)?.FullName, SharedOptions.Resolve(parsed.GetValue(device)));
            return Print(() => verifier.Verify(parsed.GetRequiredValue(folder).FullName), parsed.GetValue(json));
        });
        return command;
    }

    private static Command Processor()
    {
        var folder = Folder("Folder with expected.json and its images, sizes.json, or both.");
        var json = Json();
        var command = new Command("processor",
            """
            Images after resizing, padding and normalisation: every byte and value, sizes and token counts.

            Example: verify processor recordings/processor
            """)
        { folder, json };
        command.SetAction(parsed => Print(() => ProcessorVerifier.Verify(parsed.GetRequiredValue(folder).FullName), parsed.GetValue(json)));
        return command;
    }

    private static Command TokenizerCommand()
    {
        var folder = Folder(
            "Folder with cases.jsonl, decode_cases.jsonl, prompt_cases.jsonl and prompt_error_cases.jsonl, or some of them.");
        var tokenizer = new Option<DirectoryInfo>("--tokenizer")
        {
            Description = "Folder with tokenizer.json, such as a model folder.",
            Required = true,
        };
        tokenizer.AcceptExistingOnly();
        var json = Json();
        var command = new Command("tokenizer",
            """
            Texts to ids and back, prompts with images, prompts that must be refused.

            Example: verify tokenizer recordings/tokenizer --tokenizer models/phi-3-vision
            """)
        { folder, tokenizer, json };
        command.SetAction(parsed => Print(
            () => new TokenizerVerifier(Tokenizer.Load(parsed.GetRequiredValue(tokenizer).FullName))
                .Verify(parsed.GetRequiredValue(folder).FullName),
            parsed.GetValue(json)));
        return command;
    }

    private static int Print(Func<IEnumerable<CaseReport>> verify, bool json) => Run(() =>
    {
        var printer = new ReportPrinter(Console.Out, json);
        foreach (var report in verify()) printer.Print(report);
        Console.Error.WriteLine(printer.Summary);
        if (printer.Differing > 0) return Differs;
        return printer.Unreadable > 0 || printer.Compared == 0 ? Unusable : CommandLine.Done;
    });

    private static Argument<DirectoryInfo> Folder(string description)
    {
        var argument = new Argument<DirectoryInfo>("folder") { Description = description };
        argument.AcceptExistingOnly();
        return argument;
    }

    private static Option<bool> Json() => new("--json") { Description = "A JSON object a line for each case, with every output." };
}

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
