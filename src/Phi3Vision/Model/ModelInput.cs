using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision;

/// <summary>Input of one call of the model. The caller keeps ownership of the tensors. B rows, L positions, N images.</summary>
/// <param name="InputIds">
/// Token ids, I64 [B, L]; every position of an image has a negative id (-k for image k of its row, or of its sample in a pack).
/// </param>
/// <param name="AttentionMask">
/// 1 for real positions, 0 for padding: I64 [B, L], with a cache [B, cached + L]. Null when nothing is padding.
/// </param>
/// <param name="PixelValues">
/// Images of all rows in order, [N, K, 3, 336, 336]: global view, crops, filler. K is at least the largest image's number of views.
/// </param>
/// <param name="ImageSizes">I64 [N, 2]: height and width that the crops of each image tile, multiples of 336 pixels.</param>
/// <param name="PositionIds">Positions, I64 [B, L]; null counts from the cache's length.</param>
/// <param name="SegmentLengths">
/// Lengths of the samples of a pack: one row (B = 1) of samples laid end to end. Attention stays within a sample and positions start at 0
/// in each, as if the sample were a row of its own. Cannot be combined with a mask, positions or a cache.
/// </param>
/// <param name="ImageFeatures">
/// Outputs of the vision tower in place of the pixels: N tensors [V, 576, C], as <see cref="Phi3VisionModel.ImageFeatures"/> returns them.
/// </param>
public sealed record ModelInput(
    Tensor InputIds,
    Tensor? AttentionMask = null,
    Tensor? PixelValues = null,
    Tensor? ImageSizes = null,
    Tensor? PositionIds = null,
    IReadOnlyList<long>? SegmentLengths = null,
    IReadOnlyList<Tensor>? ImageFeatures = null);
