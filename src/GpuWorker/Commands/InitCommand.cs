using System.CommandLine;
using FunctionsPipeline.Phi3Vision;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary><c>init</c>: a base checkpoint with random weights.</summary>
internal static class InitCommand
{
    private const int DefaultVocabulary = 512;

    public static Command Create()
    {
        var preset = new Option<string>("--preset") { Description = "Which dimensions: tiny.", DefaultValueFactory = _ => "tiny" };
        preset.AcceptOnlyFromAmong("tiny");
        var output = new Option<DirectoryInfo>("--out") { Description = "Folder to write; made when it is not there.", Required = true };
        var texts = new Option<FileInfo>("--texts")
        {
            Description = "Texts to train the tokenizer on, one a line; bytes alone are its pieces when left out.",
        };
        texts.AcceptExistingOnly();
        var vocabulary = new Option<int>("--vocabulary")
        {
            Description = "Size of the tokenizer's vocabulary, added tokens included.",
            DefaultValueFactory = _ => DefaultVocabulary,
        };
        vocabulary.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < SpecialTokens.SmallestVocabulary)
                result.AddError(
                    $"--vocabulary must be at least {SpecialTokens.SmallestVocabulary}: every byte and every added token has a place.");
        });
        var seed = new Option<int>("--seed") { Description = "Seed of the weights.", DefaultValueFactory = _ => 42 };
        var command = new Command("init",
            """
            Makes a base checkpoint of Phi-3-Vision's architecture at toy size, with random weights and a tokenizer of its own.

            Example: init --out base --texts answers.txt --vocabulary 640
            """)
        { preset, output, texts, vocabulary, seed };
        command.SetAction(parsed => Run(
            parsed.GetRequiredValue(output).FullName, parsed.GetValue(texts), parsed.GetValue(vocabulary), parsed.GetValue(seed)));
        return command;
    }

    private static int Run(string folder, FileInfo? texts, int vocabulary, int seed)
    {
        var lines = texts is null ? [] : File.ReadAllLines(texts.FullName);
        var tokenizer = TrainTokenizer(lines, vocabulary);
        var config = Presets.Tiny(tokenizer.VocabularySize);
        using var scope = torch.NewDisposeScope();
        using var model = new Phi3VisionModel(config);
        Initializer.Initialize(model, seed);
        ModelFolder.Save(folder, model, config, tokenizer);
        Console.WriteLine($"{folder}: {model.parameters().Sum(p => p.numel()):N0} parameters, {tokenizer.VocabularySize} tokens.");
        return CommandLine.Done;
    }

    private static Tokenizer TrainTokenizer(IEnumerable<string> texts, int vocabulary)
    {
        try
        {
            return Tokenizer.Parse(TokenizerTrainer.Train(texts, vocabulary));
        }
        catch (ArgumentException e)
        {
            throw new CommandException($"--vocabulary {vocabulary} is too small: {e.Message}", e);
        }
    }
}
