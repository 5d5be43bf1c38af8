using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;

namespace FunctionsPipeline.GpuWorker.Commands;

/// <summary><c>init</c>: writes a base checkpoint with random weights.</summary>
internal static class InitCommand
{
    private const string Tiny = "tiny";
    private const string Published = "phi-3-vision-128k";
    private const int DefaultVocabulary = 512;

    public static Command Create()
    {
        var preset = new Option<string>("--preset")
        {
            Description = $"Which dimensions: {Tiny} (fp32) or {Published} (the published ones, bf16).",
            DefaultValueFactory = _ => Tiny,
        };
        preset.AcceptOnlyFromAmong(Tiny, Published);
        var output = new Option<DirectoryInfo>("--out") { Description = "Folder to write; made when it is not there.", Required = true };
        var tokenizer = new Option<string>("--tokenizer")
        {
            Description = "A tokenizer.json, or a folder with one, to take over; a small one is trained when left out.",
        };
        var texts = new Option<FileInfo>("--texts")
        {
            Description = "Texts to train the tokenizer on, one a line; bytes alone are its pieces when left out.",
        };
        texts.AcceptExistingOnly();
        var vocabulary = new Option<int>("--vocabulary")
        {
            Description = "Size of the trained tokenizer's vocabulary, added tokens included.",
            DefaultValueFactory = _ => DefaultVocabulary,
        };
        vocabulary.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < SpecialTokens.SmallestVocabulary)
            {
                result.AddError(
                    $"--vocabulary must be at least {SpecialTokens.SmallestVocabulary}: every byte and every added token has a place.");
            }
        });
        var seed = new Option<int>("--seed")
        {
            Description = "Seed of the weights: the same one gives the same files.",
            DefaultValueFactory = _ => 42,
        };
        var command = new Command("init",
            $"""
            Makes a base checkpoint of Phi-3-Vision's architecture with random weights and a tokenizer: a model folder that
            train, serve, predict and inspect take.

            {Tiny} is the architecture at toy size: it can be trained on a CPU in minutes.
            {Published} has the published dimensions, 4.1 billion parameters, for measuring at full size: bf16, in files of at most
            5 GB with an index, like the published checkpoint. It needs 8.3 GB of disk and little memory. Give it the published
            tokenizer with --tokenizer; otherwise a small one is trained, whose ids are the first of the 32,064 that the model has.

            Examples: init --out base --texts answers.txt --vocabulary 640
                      init --preset {Published} --out full --tokenizer Phi-3-vision-128k-instruct/tokenizer.json
            """)
        { preset, output, tokenizer, texts, vocabulary, seed };
        command.Validators.Add(result =>
        {
            if (IsGiven(result, tokenizer) && (IsGiven(result, texts) || IsGiven(result, vocabulary)))
                result.AddError("--tokenizer takes a tokenizer over; --texts and --vocabulary are for training one.");
        });
        // Runs on the thread pool: an action that does not yield keeps System.CommandLine from handling Ctrl-C, so the token would never be
        // cancelled.
        command.SetAction((parsed, cancellationToken) => Task.Run(
            () =>
            {
                var folder = parsed.GetRequiredValue(output).FullName;
                var chosen = parsed.GetValue(tokenizer) is { } path
                    ? ReadTokenizer(path)
                    : TrainTokenizer(parsed.GetValue(texts), parsed.GetValue(vocabulary));
                if (parsed.GetValue(preset) == Tiny) WriteTiny(folder, chosen, parsed.GetValue(seed));
                else WritePublished(folder, chosen, parsed.GetValue(seed), cancellationToken);
                return CommandLine.Done;
            },
            cancellationToken));
        return command;
    }

    private static bool IsGiven(CommandResult command, Option option) => command.GetResult(option) is { Implicit: false };

    private static void WriteTiny(string folder, Tokenizer tokenizer, int seed)
    {
        var config = Presets.Tiny(tokenizer.VocabularySize) with { PadTokenId = tokenizer.Id(SpecialTokens.EndOfText) };
        using var scope = torch.NewDisposeScope();
        using var model = new Phi3VisionModel(config);
        Initializer.Initialize(model, seed);
        ModelFolder.Save(folder, model, config, tokenizer);
        Console.WriteLine($"{folder}: {Number(model.parameters().Sum(p => p.numel()))} parameters, {tokenizer.VocabularySize} tokens.");
    }

    private static void WritePublished(string folder, Tokenizer tokenizer, int seed, CancellationToken cancellationToken)
    {
        var config = Presets.Phi3Vision128K with { PadTokenId = tokenizer.Id(SpecialTokens.EndOfText) };
        if (tokenizer.VocabularySize > config.VocabSize)
        {
            throw new CommandException(
                $"The tokenizer has {tokenizer.VocabularySize} tokens; {Published} has room for {config.VocabSize}.");
        }
        var checkpoint = new RandomCheckpoint(config, seed);
        OutputFolderCheck.RequireNoWeights(folder);
        Directory.CreateDirectory(folder);
        OutputFolderCheck.RequireSpace(folder, checkpoint.Bytes);
        config.Save(folder);
        File.WriteAllBytes(Path.Combine(folder, Tokenizer.FileName), tokenizer.Json.Span);
        var progress = new ByteProgress(
            "written", checkpoint.Bytes, TimeProvider.System, Console.Error, overwrite: !Console.IsErrorRedirected);
        checkpoint.Write(folder, progress, cancellationToken);
        progress.Complete();
        Console.WriteLine(
            $"{folder}: {Number(checkpoint.ParameterCount)} parameters in {checkpoint.Files} files, " +
            $"{tokenizer.VocabularySize} tokens in the tokenizer.");
    }

    private static Tokenizer ReadTokenizer(string path)
    {
        if (Directory.Exists(path)) return Tokenizer.Load(path);
        if (!File.Exists(path)) throw new CommandException($"--tokenizer: there is no '{path}'.");
        return Tokenizer.Parse(File.ReadAllText(path));
    }

    private static Tokenizer TrainTokenizer(FileInfo? texts, int vocabulary)
    {
        try
        {
            return Tokenizer.Parse(TokenizerTrainer.Train(texts is null ? [] : File.ReadAllLines(texts.FullName), vocabulary));
        }
        catch (ArgumentException e)
        {
            throw new CommandException($"--vocabulary {vocabulary} is too small: {e.Message}", e);
        }
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}

/// <summary>Checks a folder before hours are spent on a large checkpoint for it.</summary>
internal static class OutputFolderCheck
{
    /// <exception cref="CommandException">The folder already has weights, which would be overwritten.</exception>
    public static void RequireNoWeights(string folder)
    {
        if (ModelFolder.HasWeights(folder))
            throw new CommandException($"'{folder}' holds weights already: delete them, or choose another --out.");
    }

    /// <param name="folder">An existing folder.</param>
    /// <param name="bytes">Size of the checkpoint.</param>
    /// <exception cref="CommandException">The disk has less free space.</exception>
    public static void RequireSpace(string folder, long bytes) => RequireSpace(folder, bytes, new DriveInfo(folder).AvailableFreeSpace);

    internal static void RequireSpace(string folder, long bytes, long free)
    {
        if (free < bytes)
        {
            throw new CommandException(
                $"The checkpoint needs {ByteSize.Text(bytes)} of disk; '{folder}' has {ByteSize.Text(free)} free: " +
                $"{ByteSize.Text(bytes - free)} are missing.");
        }
    }
}

/// <summary>
/// Prints the progress of a long write: bytes, rate and time left. Rewrites one line in a terminal, and prints a line every few seconds
/// elsewhere.
/// </summary>
/// <param name="verb">Participle that begins the line, such as <c>written</c>.</param>
/// <param name="total">Total number of bytes.</param>
/// <param name="time">Clock that measures the rate.</param>
/// <param name="output">Writer that receives the lines.</param>
/// <param name="overwrite">True to rewrite one line, false to print a line each time.</param>
internal sealed class ByteProgress(string verb, long total, TimeProvider time, TextWriter output, bool overwrite) : IProgress<long>
{
    private static readonly TimeSpan TerminalPause = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LinePause = TimeSpan.FromSeconds(5);
    private readonly long _started = time.GetTimestamp();
    private TimeSpan _last = TimeSpan.Zero;

    /// <param name="value">Number of bytes so far.</param>
    public void Report(long value)
    {
        var elapsed = time.GetElapsedTime(_started);
        if (elapsed - _last < (overwrite ? TerminalPause : LinePause)) return;
        _last = elapsed;
        var rate = value / elapsed.TotalSeconds;
        var left = TimeSpan.FromSeconds(Math.Ceiling((total - value) / rate));
        Show(string.Create(CultureInfo.InvariantCulture,
            $"{verb} {value / 1e9:0.00} of {ByteSize.Text(total)}, {rate / 1e6:0} MB/s, {left:c} left"), overwrite);
    }

    /// <summary>Prints the total with its duration and rate.</summary>
    public void Complete()
    {
        var elapsed = time.GetElapsedTime(_started);
        var rate = total / Math.Max(elapsed.TotalSeconds, 1e-3);
        Show(string.Create(CultureInfo.InvariantCulture,
            $"{verb} {ByteSize.Text(total)} in {elapsed.TotalSeconds:0.0} s, {rate / 1e6:0} MB/s"), false);
    }

    private void Show(string line, bool again)
    {
        // Padded to 70 characters, so that a shorter line covers the previous one.
        if (overwrite) output.Write($"\r{line,-70}{(again ? "" : Environment.NewLine)}");
        else output.WriteLine(line);
    }
}
