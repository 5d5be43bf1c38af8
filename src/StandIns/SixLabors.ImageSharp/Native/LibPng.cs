using System.Runtime.InteropServices;

namespace SixLabors.ImageSharp.Native;

/// <summary>The writing half of the simplified API of libpng 1.6 (png.h, section 4).</summary>
internal static unsafe class LibPng
{
    public const uint Version = 1;

    static LibPng() => NativeLibraries.Register();

    public enum Format : uint
    {
        Grey = 0,
        Rgb = 2,
        Rgba = 3,
    }

    [DllImport(NativeLibraries.Png)]
    public static extern int png_image_write_to_memory(
        Image* image, byte* memory, ref nuint memoryBytes, int convertTo8Bit, void* buffer, int rowStride, void* colormap);

    [StructLayout(LayoutKind.Sequential)]
    public struct Image
    {
        public nint Opaque;
        public uint Version;
        public uint Width;
        public uint Height;
        public Format Format;
        public uint Flags;
        public uint ColormapEntries;
        public uint WarningOrError;
        public fixed byte Message[64];

        public string Error()
        {
            fixed (byte* message = Message)
                return Marshal.PtrToStringUTF8((nint)message) ?? "unknown error";
        }
    }
}
