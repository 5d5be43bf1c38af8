namespace FunctionsPipeline.Phi3Vision;

/// <summary>An image resized onto a grid of crops and padded with white, before it is cut and normalised.</summary>
/// <param name="Rgb">Interleaved bytes, row by row.</param>
/// <param name="Width">Pixels, a multiple of 336.</param>
/// <param name="Height">Pixels, a multiple of 336.</param>
public sealed record HdPicture(byte[] Rgb, int Width, int Height);
