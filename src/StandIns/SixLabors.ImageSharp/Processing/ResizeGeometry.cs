namespace SixLabors.ImageSharp.Processing;

/// <summary>The sizes that resizing leads to.</summary>
internal static class ResizeGeometry
{
    /// <summary>A width or height of 0 follows from the other.</summary>
    public static Size Complete(Size source, int width, int height)
    {
        if (width < 0 || height < 0 || (width == 0 && height == 0))
            throw new ArgumentException($"An image cannot be resized to {width} x {height}.");
        if (width == 0) width = Scale(source.Width, height / (float)source.Height);
        if (height == 0) height = Scale(source.Height, width / (float)source.Width);
        return new Size(width, height);
    }

    /// <summary>The largest size of the source's aspect ratio within the target.</summary>
    public static Size Max(Size source, Size target)
    {
        target = Complete(source, target.Width, target.Height);
        return source.Height / (float)source.Width < target.Height / (float)target.Width
            ? new Size(target.Width, Scale(source.Height, target.Width / (float)source.Width))
            : new Size(Scale(source.Width, target.Height / (float)source.Height), target.Height);
    }

    /// <summary>The smallest size of the source's aspect ratio that covers the target.</summary>
    public static Size Cover(Size source, Size target)
    {
        var scale = Math.Max(target.Width / (double)source.Width, target.Height / (double)source.Height);
        return new Size(
            Math.Max(target.Width, (int)Math.Round(source.Width * scale)), Math.Max(target.Height, (int)Math.Round(source.Height * scale)));
    }

    private static int Scale(int length, float factor) => Math.Max(1, (int)MathF.Round(length * factor));
}
