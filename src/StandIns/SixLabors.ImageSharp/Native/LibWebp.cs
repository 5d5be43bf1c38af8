using System.Runtime.InteropServices;

namespace SixLabors.ImageSharp.Native;

/// <summary>The simple API of libwebp (webp/decode.h, webp/encode.h).</summary>
internal static unsafe class LibWebp
{
    static LibWebp() => NativeLibraries.Register();

    [DllImport(NativeLibraries.Webp)]
    public static extern byte* WebPDecodeRGBInto(byte* data, nuint size, byte* output, nuint outputSize, int stride);

    [DllImport(NativeLibraries.Webp)]
    public static extern byte* WebPDecodeRGBAInto(byte* data, nuint size, byte* output, nuint outputSize, int stride);

    [DllImport(NativeLibraries.Webp)]
    public static extern nuint WebPEncodeRGBA(byte* rgba, int width, int height, int stride, float quality, out byte* output);

    [DllImport(NativeLibraries.Webp)]
    public static extern nuint WebPEncodeLosslessRGBA(byte* rgba, int width, int height, int stride, out byte* output);

    [DllImport(NativeLibraries.Webp)]
    public static extern void WebPFree(void* memory);
}
