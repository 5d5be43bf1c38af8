namespace SixLabors.ImageSharp.Formats.Png;

/// <summary>Undoes the filters of rows (W3C PNG, 9.2).</summary>
internal static class PngFilters
{
    /// <param name="row">A row without its filter byte; it is changed in place.</param>
    /// <param name="above">The row above, already undone; zeros above the first.</param>
    /// <param name="bytes">Bytes of a pixel, at least 1.</param>
    public static void Undo(byte filter, Span<byte> row, ReadOnlySpan<byte> above, int bytes)
    {
        above = above[..row.Length];
        switch (filter)
        {
            case 0:
                break;
            case 1:
                for (var i = bytes; i < row.Length; i++) row[i] += row[i - bytes];
                break;
            case 2:
                for (var i = 0; i < row.Length; i++) row[i] += above[i];
                break;
            case 3:
                for (var i = 0; i < bytes && i < row.Length; i++) row[i] += (byte)(above[i] >> 1);
                for (var i = bytes; i < row.Length; i++) row[i] += (byte)((row[i - bytes] + above[i]) >> 1);
                break;
            case 4:
                for (var i = 0; i < bytes && i < row.Length; i++) row[i] += above[i];
                for (var i = bytes; i < row.Length; i++) row[i] += Paeth(row[i - bytes], above[i], above[i - bytes]);
                break;
            default:
                throw new InvalidImageContentException($"The PNG is damaged: there is no filter {filter}.");
        }
    }

    private static byte Paeth(int left, int up, int corner)
    {
        var (fromLeft, fromUp) = (Math.Abs(up - corner), Math.Abs(left - corner));
        var fromCorner = Math.Abs(left + up - (2 * corner));
        return (byte)(fromLeft <= fromUp && fromLeft <= fromCorner ? left : fromUp <= fromCorner ? up : corner);
    }
}
