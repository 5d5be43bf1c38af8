using System.Text.Encodings.Web;
using System.Text.Json;
using FunctionsPipeline.Phi3Vision;
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
            if (computed.Gradient(name) is { } gradient)
                tensors.Add((GradientComparisons.Prefix + name, gradient.cpu().clone()));
        facts[GradientComparisons.WithoutGradient] = computed.WithoutGradient();
        facts[GradientComparisons.Norms] = computed.Norms();
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
