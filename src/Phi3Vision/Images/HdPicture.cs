namespace FunctionsPipeline.Phi3Vision;

/// <summary>An image resized onto a grid of crops and padded with white, before it is cut and normalised.</summary>
/// <param name="Rgb">Interleaved RGB bytes, row by row.</param>
/// <param name="Width">Width in pixels, a multiple of 336.</param>
/// <param name="Height">Height in pixels, a multiple of 336.</param>
public sealed record HdPicture(byte[] Rgb, int Width, int Height);
