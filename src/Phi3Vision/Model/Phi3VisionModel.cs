using FunctionsPipeline.Phi3Vision.Config;
using FunctionsPipeline.Phi3Vision.Images;
using FunctionsPipeline.Phi3Vision.Vision;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Model;

/// <summary>
/// Phi-3-Vision, the published <c>Phi3VForCausalLM</c>, with the parameter names of its checkpoint. Gradients reach the parameters that a
/// call used: never CLIP's last layer or the padding token's embedding, and none of the vision part in a call without images.
/// </summary>
public sealed class Phi3VisionModel : nn.Module
{
    private readonly Decoder model;
    private readonly Linear lm_head;

    /// <summary>
    /// Makes the model with uninitialised weights: load some (<see cref="ModelFolder"/>) or draw some (<see cref="Initializer"/>).
    /// </summary>
    /// <param name="config">A valid configuration.</param>
    /// <param name="device">Device of the parameters; null for the CPU.</param>
    /// <param name="dtype">Type of the parameters and the activations.</param>
    /// <exception cref="InvalidDataException">The configuration is not valid.</exception>
    public Phi3VisionModel(Phi3VisionConfig config, Device? device = null, ScalarType dtype = ScalarType.Float32)
        : base(nameof(Phi3VisionModel))
    {
        config.Validate(Phi3VisionConfig.FileName);
        Config = config;
        device ??= CPU;
        model = new Decoder(config, device, dtype);
        lm_head = EmptyLayers.Linear(config.HiddenSize, config.VocabSize, hasBias: false, device, dtype);
        RegisterComponents();
        // The model owns its parameters: a dispose scope around the constructor must not free them.
        foreach (var parameter in parameters()) parameter.DetachFromDisposeScope();
    }

    public Phi3VisionConfig Config { get; }

    /// <summary>Device of the parameters.</summary>
    public Device Device => model.Device;

    /// <summary>Type of the parameters.</summary>
    public ScalarType Dtype => model.Dtype;

    internal Decoder Decoder => model;

    /// <summary>Computes the logits of the next token at every position.</summary>
    /// <param name="cache">Keys and values of earlier positions; the new ones are appended to it.</param>
    /// <param name="trace">Keeps the intermediate tensors.</param>
    /// <param name="tape">Keeps only the inputs of layers; the backward pass is then the tape's.</param>
    /// <returns>F32 [B, L, V].</returns>
    /// <exception cref="ArgumentException">The input's shapes or values do not fit each other or the model.</exception>
    public Tensor forward(ModelInput input, KeyValueCache? cache = null, ForwardTrace? trace = null, ActivationTape? tape = null)
    {
        using var hidden = Hidden(input, cache, trace, tape);
        return Logits(hidden);
    }

    /// <summary>
    /// Computes the hidden states after the final norm: the input of <see cref="Logits"/>, for callers that need few positions.
    /// </summary>
    /// <param name="cache">Keys and values of earlier positions; the new ones are appended to it.</param>
    /// <param name="trace">Keeps the intermediate tensors.</param>
    /// <param name="tape">Keeps only the inputs of layers; the backward pass is then the tape's.</param>
    /// <param name="positions">
    /// Positions whose states are wanted, I64 [P] of indices into [B · L]; null for all. The last layer computes no others.
    /// </param>
    /// <returns>[B, L, H], or [P, H] with <paramref name="positions"/>.</returns>
    /// <exception cref="ArgumentException">The input's shapes or values do not fit each other or the model.</exception>
    public Tensor Hidden(
        ModelInput input, KeyValueCache? cache = null, ForwardTrace? trace = null, ActivationTape? tape = null, Tensor? positions = null) =>
        model.forward(input, cache, trace, tape, positions);

    /// <summary>
    /// Computes the vision tower's output of images, for <see cref="ModelInput.ImageFeatures"/>: <see cref="ViewFeatures"/> of the views
    /// that <see cref="forward"/> would compute. Filler is left out; an image whose only crop equals its global view gives one view.
    /// </summary>
    /// <param name="pixels">As <see cref="ModelInput.PixelValues"/>, [N, K, 3, 336, 336]; converted to the model's type and device.</param>
    /// <param name="sizes">As <see cref="ModelInput.ImageSizes"/>, I64 [N, 2].</param>
    /// <returns>Features of each image, [V, 576, C].</returns>
    /// <exception cref="ArgumentException">The shapes or sizes do not fit together.</exception>
    public IReadOnlyList<Tensor> ImageFeatures(Tensor pixels, Tensor sizes)
    {
        var grids = CheckedImages.OfPixels(pixels, sizes);
        using var scope = NewDisposeScope();
        var converted = pixels.to(Dtype, Device);
        var plan = ViewPlan.OfPixels(converted, grids);
        return [.. model.Images.Features(plan.Select(converted)).split(plan.Counts, 0).Select(image => image.MoveToOuterDisposeScope())];
    }

    /// <summary>Computes the features of one image without gradients and copies them to managed memory.</summary>
    public ImageFeatures Encode(ProcessedImage image)
    {
        const int side = Phi3VisionConfig.ViewSize;
        using var noGradients = torch.no_grad();
        using var scope = NewDisposeScope();
        var pixels = torch.tensor(image.PixelValues, [1, image.Views, 3, side, side], device: Device);
        var features = ImageFeatures(pixels, torch.tensor(new long[] { image.Height, image.Width }, [1, 2]))[0].cpu().contiguous();
        return new ImageFeatures(features.bytes.ToArray(), features.dtype, (int)features.shape[0], image.Height, image.Width);
    }

    /// <summary>Computes CLIP's features of views: the output of its second-to-last layer without the class token.</summary>
    /// <param name="views">[V, 3, 336, 336], converted to the model's type and device.</param>
    /// <returns>[V, 576, C].</returns>
    /// <exception cref="ArgumentException">The shape is not [V, 3, 336, 336].</exception>
    public Tensor ViewFeatures(Tensor views)
    {
        const int side = Phi3VisionConfig.ViewSize;
        if (views.shape is not [> 0, 3, side, side])
            throw new ArgumentException($"Views must be [V, 3, {side}, {side}], but are {CheckedInput.Describe(views)}.", nameof(views));
        using var scope = NewDisposeScope();
        return model.Images.Features(views.to(Dtype, Device)).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the logits of hidden states after the final norm: W · x with the weight W of <c>lm_head</c>, [V, H].</summary>
    /// <param name="hidden">[…, H].</param>
    /// <returns>F32 […, V].</returns>
    /// <exception cref="ArgumentException">The width or type is not the model's.</exception>
    public Tensor Logits(Tensor hidden)
    {
        if (hidden.shape is not [.., var width] || width != Config.HiddenSize || hidden.dtype != Dtype)
        {
            throw new ArgumentException(
                $"Hidden states must be {Dtype} […, {Config.HiddenSize}], but are {CheckedInput.Describe(hidden)}.", nameof(hidden));
        }
        var logits = lm_head.call(hidden);
        // The matrix product runs in the model's type; softmax and loss need float32.
        if (logits.dtype == ScalarType.Float32) return logits;
        using (logits) return logits.to(ScalarType.Float32);
    }
}
