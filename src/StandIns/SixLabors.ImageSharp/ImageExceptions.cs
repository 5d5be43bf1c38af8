namespace SixLabors.ImageSharp;

/// <summary>The base of what decoding throws.</summary>
public class ImageFormatException : Exception
{
    internal ImageFormatException(string errorMessage) : base(errorMessage) { }

    internal ImageFormatException(string errorMessage, Exception innerException) : base(errorMessage, innerException) { }
}

/// <summary>The bytes are of no format that can be decoded.</summary>
public sealed class UnknownImageFormatException : ImageFormatException
{
    public UnknownImageFormatException(string errorMessage) : base(errorMessage) { }
}

/// <summary>The format is known; the content is damaged, cut short or too large.</summary>
public sealed class InvalidImageContentException : ImageFormatException
{
    public InvalidImageContentException(string errorMessage) : base(errorMessage) { }

    public InvalidImageContentException(string errorMessage, Exception innerException) : base(errorMessage, innerException) { }
}
