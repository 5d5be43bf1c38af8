using System.Buffers.Binary;

namespace FunctionsPipeline.Images;

/// <summary>The blocks of a GIF up to the end of its first frame (GIF89a specification, 15–27).</summary>
internal static class GifLayout
{
    private const int LogicalScreen = 6;
    private const int Header = 13;
    private const int FrameDescriptor = 10;
    private const byte Trailer = 0x3B;
    private const byte Extension = 0x21;
    private const byte Frame = 0x2C;

    /// <remarks>A GIF without a frame counts as whole when it ends in its trailer: it is the decoder that misses the frame.</remarks>
    public static ImageLayout Of(ReadOnlySpan<byte> file)
    {
        if (file.Length < Header) return new ImageLayout(null);
        long position = Header + ColourTable(file[LogicalScreen + 4]);
        while (position < file.Length)
        {
            var block = file[(int)position..];
            if (block[0] == Trailer) return new ImageLayout((int)position + 1);
            if (block[0] == Frame)
            {
                if (block.Length <= FrameDescriptor) break;
                var codes = position + FrameDescriptor + ColourTable(block[FrameDescriptor - 1]);
                var end = EndOfSubBlocks(file, codes + 1);
                if (end < 0) break;
                var frame = new GifFrame(UInt16(block, 5), UInt16(block, 7), (int)codes);
                // Which colour is transparent is said before each frame, and a frame may leave a part of the screen free.
                return new ImageLayout((int)end, HasAlpha: true, Frame: frame);
            }
            // Decoders pass over bytes that begin no block.
            position = block[0] == Extension ? EndOfSubBlocks(file, position + 2) : position + 1;
            if (position < 0) break;
        }
        return new ImageLayout(null);
    }

    private static int ColourTable(byte flags)
    {
        const int Present = 0x80, Size = 7, Colour = 3;
        return (flags & Present) == 0 ? 0 : Colour << ((flags & Size) + 1);
    }

    private static int UInt16(ReadOnlySpan<byte> data, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(data[offset..]);

    /// <returns>Where the sub-blocks that begin at <paramref name="position"/> are over; -1 if the file ends first.</returns>
    private static long EndOfSubBlocks(ReadOnlySpan<byte> file, long position)
    {
        while (position < file.Length)
        {
            var length = file[(int)position];
            position += 1 + length;
            if (length == 0) return position;
        }
        return -1;
    }
}
