namespace SixLabors.ImageSharp.Metadata.Profiles.Exif;

/// <summary>The number of an EXIF entry.</summary>
public abstract class ExifTag : IEquatable<ExifTag>
{
    private readonly ushort value;

    internal ExifTag(ushort value) => this.value = value;

    /// <summary>How the picture is turned: one of <see cref="ExifOrientationMode"/>.</summary>
    public static ExifTag<ushort> Orientation { get; } = new(0x0112);

    public static explicit operator ushort(ExifTag tag) => tag.value;

    public static bool operator ==(ExifTag left, ExifTag right) => left.Equals(right);

    public static bool operator !=(ExifTag left, ExifTag right) => !left.Equals(right);

    public bool Equals(ExifTag? other) => value == other?.value;

    public override bool Equals(object? obj) => obj is ExifTag other && Equals(other);

    public override int GetHashCode() => value.GetHashCode();

    public override string ToString() => $"0x{value:X4}";
}

/// <summary>The number of an EXIF entry whose value is a <typeparamref name="TValueType"/>.</summary>
public sealed class ExifTag<TValueType> : ExifTag
{
    internal ExifTag(ushort value) : base(value) { }
}

/// <summary>The eight ways a picture can be turned.</summary>
public static class ExifOrientationMode
{
    public const ushort Unknown = 0;
    public const ushort TopLeft = 1;
    public const ushort TopRight = 2;
    public const ushort BottomRight = 3;
    public const ushort BottomLeft = 4;
    public const ushort LeftTop = 5;
    public const ushort RightTop = 6;
    public const ushort RightBottom = 7;
    public const ushort LeftBottom = 8;
}
