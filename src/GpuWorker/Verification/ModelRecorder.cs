using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Model;
using FunctionsPipeline.Phi3Vision.Text;
using FunctionsPipeline.Phi3Vision.Weights;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>
/// Writes recordings of a model that <see cref="ModelVerifier"/> reads, in the layout of the reference implementation's recordings.
/// </summary>
internal static class ModelRecorder
{
    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <returns>Size of the tensor file, in bytes.</returns>
    /// <exception cref="CommandException">The request cannot be carried out.</exception>
    /// <exception cref="InvalidDataException">The model folder is damaged.</exception>
    public static long Record(RecordingRequest request, Device device)
    {
        if (Directory.Exists(request.Output) && Directory.EnumerateFileSystemEntries(request.Output).Any())
            throw new CommandException($"'{request.Output}' is not empty; a recording is written to a new folder.");
        using var scope = NewDisposeScope();
        using var model = ModelFolder.Load(request.Model, device, ScalarType.Float32);
        var batch = RecordingBatch.Create(request, model);
        Directory.CreateDirectory(request.Output);

        var tensors = Inputs(batch.Inputs);
        foreach (var (name, value) in ModelOutputs.Compute(model.Model, batch.Inputs, IsRecorded, request.Tokens))
            tensors.Add((name, value.cpu().MoveToOtherDisposeScope(scope)));
        var facts = new Dictionary<string, object?>();
        if (batch.Inputs.Labels is not null) AddLoss(model.Model, batch.Inputs, request.Gradients, tensors, facts);

        var path = Path.Combine(request.Output, ModelCase.TensorsName);
        SafetensorsFile.Write(path, tensors);
        WriteDescription(request, batch, CopyImages(request), facts);
        if (request.WithWeights) CopyWeights(request);
        return new FileInfo(path).Length;
    }

    // Of the decoder layers only the first is recorded, to keep the file small: mistakes in later ones show in the final hidden state and
    // the logits.
    private static bool IsRecorded(string output) =>
        !output.StartsWith("hidden_layer_", StringComparison.Ordinal) || output == "hidden_layer_0";

    private static List<(string Name, Tensor Tensor)> Inputs(ModelCaseInputs inputs)
    {
        (string, Tensor?)[] all =
        [
            ("input_ids", inputs.Batch!.InputIds), ("attention_mask", inputs.Batch.AttentionMask), ("labels", inputs.Labels),
            ("pixel_values", inputs.Batch.PixelValues), ("image_sizes", inputs.Batch.ImageSizes),
            ("gen_input_ids", inputs.Prompts!.InputIds), ("gen_attention_mask", inputs.Prompts.AttentionMask),
            ("cross.input_ids", inputs.Crossing?.InputIds),
        ];
        return [.. all.Where(input => input.Item2 is not null).Select(input => (input.Item1, input.Item2!))];
    }

    private static void AddLoss(
        Phi3VisionModel model, ModelCaseInputs inputs, bool gradients, List<(string, Tensor)> tensors, Dictionary<string, object?> facts)
    {
        using var computed = LossAndGradients.Compute(model, inputs, gradients);
        tensors.Add(("loss", computed.Loss.detach().cpu().clone()));
        facts["loss"] = computed.Loss.item<float>();
        if (!gradients) return;
        foreach (var (name, _) in model.named_parameters())
        {
            if (computed.Gradient(name) is { } gradient)
                tensors.Add((GradientComparison.Prefix + name, gradient.cpu().clone()));
        }
        facts[GradientComparison.WithoutGradient] = computed.WithoutGradient();
        facts[GradientComparison.Norms] = computed.Norms();
    }

    private static List<string> CopyImages(RecordingRequest request)
    {
        var names = new List<string>();
        foreach (var image in request.Images)
        {
            names.Add($"image_{names.Count + 1}{Path.GetExtension(image)}");
            File.Copy(image, Path.Combine(request.Output, names[^1]));
        }
        return names;
    }

    private static void WriteDescription(
        RecordingRequest request, RecordingBatch batch, List<string> images, Dictionary<string, object?> facts)
    {
        var description = new Dictionary<string, object?>
        {
            ["case"] = Path.GetFileName(Path.TrimEndingDirectorySeparator(request.Output)),
            ["kind"] = request.Gradients ? "forward+backward+greedy" : "forward+greedy",
            ["num_crops"] = images.Count == 0 ? null : batch.NumCrops,
            ["image_files"] = images,
            ["source_image_wh"] = batch.Sources.Select(size => new[] { size.Width, size.Height }),
            ["global_view_replaced"] = false,
            ["prompts"] = batch.Prompts,
            ["responses"] = request.Answers,
            ["padding_side"] = batch.Prompts.Count == 1 ? "none" : "right",
        };
        if (!request.WithWeights) description["base"] = Path.GetRelativePath(request.Output, request.Model);
        foreach (var (key, value) in facts) description[key] = value;
        File.WriteAllBytes(Path.Combine(request.Output, ModelCase.DescriptionName), JsonSerializer.SerializeToUtf8Bytes(description, Json));
    }

    private static void CopyWeights(RecordingRequest request)
    {
        var files = Directory.EnumerateFiles(request.Model, "model*.safetensors*").Concat(
            [Path.Combine(request.Model, Phi3VisionConfig.FileName), Path.Combine(request.Model, Tokenizer.FileName)]);
        foreach (var file in files) File.Copy(file, Path.Combine(request.Output, Path.GetFileName(file)));
    }
}

/// <summary>Options of a recording of a model.</summary>
internal sealed record RecordingRequest
{
    /// <summary>Model folder with a tokenizer.</summary>
    public required string Model { get; init; }

    /// <summary>Folder to write to, new or empty.</summary>
    public required string Output { get; init; }

    /// <summary>Complete prompts, one per row; empty to ask the model's own question about each image.</summary>
    public IReadOnlyList<string> Prompts { get; init; } = [];

    /// <summary>Image files, in the order of the prompts and of their image tags.</summary>
    public IReadOnlyList<string> Images { get; init; } = [];

    /// <summary>Answers, one for each prompt, or none.</summary>
    public IReadOnlyList<string> Answers { get; init; } = [];

    /// <summary>True to record the gradients of the answers' loss.</summary>
    public bool Gradients { get; init; }

    /// <summary>True to copy configuration, tokenizer and weights, so that the recording is self-contained.</summary>
    public bool WithWeights { get; init; }

    /// <summary>Maximum number of crops of an image; null for the number that the model was trained with.</summary>
    public int? Crops { get; init; }

    /// <summary>Number of tokens to generate.</summary>
    public int Tokens { get; init; } = 16;
}

/// <summary>Model inputs built from prompts, answers and images, laid out as in training and generation.</summary>
internal sealed partial record RecordingBatch(
    ModelCaseInputs Inputs, IReadOnlyList<string> Prompts, int NumCrops, IReadOnlyList<(int Width, int Height)> Sources)
{
    // Default ignore_index of torch's cross_entropy, which Hugging Face's labels use too.
    private const long Ignored = -100;

    /// <exception cref="CommandException">The numbers of prompts and images do not match, or an image cannot be read.</exception>
    public static RecordingBatch Create(RecordingRequest request, LoadedModel model)
    {
        var serving = ServingSettings.Load(request.Model);
        var numCrops = request.Crops ?? serving.NumCrops;
        var prompts = request.Prompts.Count > 0
            ? request.Prompts
            : [.. request.Images.Select(_ => new PromptTemplate(serving.PromptTemplate).Ask(serving.Question))];
        var processor = new ImageProcessor(numCrops);
        var sources = new List<(int, int)>();
        var images = request.Images.Select(file =>
        {
            using var image = Read(file);
            sources.Add((image.Width, image.Height));
            return processor.Process(image);
        }).ToList();

        var tokenizer = model.Tokenizer;
        var starts = PromptIds(prompts, images, tokenizer);
        // As in training: the labels are the answer's tokens, the end-of-turn token and the end of the text.
        long[] Answered(string answer) =>
            Longs(tokenizer.Encode($"{answer}{SpecialTokens.End}\n{SpecialTokens.EndOfText}", addBos: false));
        List<long[]> rows = request.Answers.Count == 0
            ? starts
            : [.. starts.Zip(request.Answers, (start, answer) => (long[])[.. start, .. Answered(answer)])];
        var padding = model.Config.PadTokenId;
        var (pixels, sizes) = Pixels(images, numCrops);
        var generation = Padded(starts, padding, left: true) with { PixelValues = pixels, ImageSizes = sizes };
        var original = model.Config.OriginalMaxPositionEmbeddings;
        var length = starts[0].Length;
        var crosses = starts.Count == 1 && images.Count == 0 && length <= original && length + request.Tokens > original;
        return new RecordingBatch(
            new ModelCaseInputs
            {
                Batch = Padded(rows, padding, left: false) with { PixelValues = pixels, ImageSizes = sizes },
                Labels = request.Answers.Count == 0 ? null : Labels(rows, starts),
                Prompts = generation,
                Crossing = crosses ? new ModelInput(generation.InputIds) : null,
            },
            prompts, numCrops, sources);
    }

    private static SixLabors.ImageSharp.Image<SixLabors.ImageSharp.PixelFormats.Rgb24> Read(string file)
    {
        try
        {
            return ImageReader.Read(File.ReadAllBytes(file));
        }
        catch (UnreadableImageException e)
        {
            throw new CommandException($"'{file}' cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Builds the token ids of each prompt, which takes as many of the images, in order, as it has image tags.</summary>
    private static List<long[]> PromptIds(IReadOnlyList<string> prompts, List<ProcessedImage> images, Tokenizer tokenizer)
    {
        var taken = 0;
        var rows = new List<long[]>();
        foreach (var prompt in prompts)
        {
            var count = ImageTag().Matches(prompt).Select(tag => tag.Value).Distinct().Count();
            if (taken + count > images.Count)
                throw new CommandException($"The prompts have tags for more images than the {images.Count} that are given.");
            try
            {
                int[] imageTokens = [.. images.Skip(taken).Take(count).Select(image => image.Tokens)];
                rows.Add(Longs([tokenizer.BeginOfText, .. PromptBuilder.Build(tokenizer, prompt, imageTokens)]));
            }
            catch (ArgumentException e)
            {
                throw new CommandException($"The prompt '{prompt}' cannot be built: {e.Message}", e);
            }
            taken += count;
        }
        if (taken < images.Count) throw new CommandException($"{images.Count} images are given, but the prompts have tags for {taken}.");
        return rows;
    }

    private static ModelInput Padded(List<long[]> rows, long padding, bool left)
    {
        var length = rows.Max(row => row.Length);
        long[] Row(long[] row, long filler) => left
            ? [.. Enumerable.Repeat(filler, length - row.Length), .. row]
            : [.. row, .. Enumerable.Repeat(filler, length - row.Length)];
        return new ModelInput(
            tensor(rows.SelectMany(row => Row(row, padding)).ToArray(), [rows.Count, length]),
            tensor(rows.SelectMany(row => Row([.. row.Select(_ => 1L)], 0)).ToArray(), [rows.Count, length]));
    }

    private static Tensor Labels(List<long[]> rows, List<long[]> starts)
    {
        var length = rows.Max(row => row.Length);
        var labels = rows.Zip(starts, (row, start) =>
            Enumerable.Range(0, length).Select(i => i < start.Length || i >= row.Length ? Ignored : row[i]));
        return tensor(labels.SelectMany(row => row).ToArray(), [rows.Count, length]);
    }

    private static (Tensor? Pixels, Tensor? Sizes) Pixels(List<ProcessedImage> images, int numCrops)
    {
        if (images.Count == 0) return (null, null);
        const int side = Phi3VisionConfig.ViewSize;
        const int view = 3 * side * side;
        var pixels = new float[checked(images.Count * (numCrops + 1) * view)];
        // F32 [images, 1 + numCrops, 3, 336, 336]: views that an image does not fill stay zero, as in the published processor.
        for (var i = 0; i < images.Count; i++) images[i].PixelValues.CopyTo(pixels, i * (numCrops + 1) * view);
        return (
            tensor(pixels, [images.Count, numCrops + 1, 3, side, side]),
            tensor(images.SelectMany(image => new long[] { image.Height, image.Width }).ToArray(), [images.Count, 2]));
    }

    private static long[] Longs(int[] ids) => Array.ConvertAll(ids, id => (long)id);

    [GeneratedRegex(@"<\|image_[0-9]+\|>", RegexOptions.CultureInvariant)]
    private static partial Regex ImageTag();
}
