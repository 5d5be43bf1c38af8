using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning;
using FunctionsPipeline.Images;
using FunctionsPipeline.Phi3Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.GpuWorker.Verification;

/// <summary>Model inputs built from prompts, answers and images, laid out as in training and generation.</summary>
internal sealed partial record RecordingBatch(
    ModelCaseInputs Inputs, IReadOnlyList<string> Prompts, int NumCrops, IReadOnlyList<(int Width, int Height)> Sources)
{
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
            using var picture = Read(file);
            sources.Add((picture.Width, picture.Height));
            return processor.Process(picture);
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
        for (var i = 0; i < images.Count; i++) images[i].PixelValues.CopyTo(pixels, i * (numCrops + 1) * view);
        return (
            tensor(pixels, [images.Count, numCrops + 1, 3, side, side]),
            tensor(images.SelectMany(image => new long[] { image.Height, image.Width }).ToArray(), [images.Count, 2]));
    }

    private static long[] Longs(int[] ids) => Array.ConvertAll(ids, id => (long)id);

    [GeneratedRegex(@"<\|image_[0-9]+\|>", RegexOptions.CultureInvariant)]
    private static partial Regex ImageTag();
}
