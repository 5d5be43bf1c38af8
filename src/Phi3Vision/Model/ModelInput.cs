using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>What the model reads. The tensors stay the caller's. B rows, L positions, N images.</summary>
/// <param name="InputIds">I64 [B, L]; every position of an image has a negative id (-k for image k of its row, or of its sample in a pack).</param>
/// <param name="AttentionMask">1 for real positions, 0 for padding: I64 [B, L], with a cache [B, cached + L]. Nothing is padding when left out.</param>
/// <param name="PixelValues">
/// The images of all rows in order, [N, K, 3, 336, 336]: global view, crops, filler. K is at least the largest image's number of views.
/// </param>
/// <param name="ImageSizes">I64 [N, 2]: height and width that the crops of each image tile, multiples of 336 pixels.</param>
/// <param name="PositionIds">I64 [B, L]; counted from the cache's length when left out.</param>
/// <param name="SegmentLengths">
/// Positions of each sample of a pack: one row (B = 1) of samples laid end to end. Each sees only itself and counts its own positions, as if
/// it were a row of its own. Not together with a mask, positions or a cache.
/// </param>
/// <param name="ImageFeatures">
/// In place of the pixels, what the vision tower makes of each image: N tensors [V, 576, C], as <see cref="Phi3VisionModel.ImageFeatures"/>
/// gives them.
/// </param>
public sealed record ModelInput(
    Tensor InputIds,
    Tensor? AttentionMask = null,
    Tensor? PixelValues = null,
    Tensor? ImageSizes = null,
    Tensor? PositionIds = null,
    IReadOnlyList<long>? SegmentLengths = null,
    IReadOnlyList<Tensor>? ImageFeatures = null);
