using System.Runtime.InteropServices;

namespace SixLabors.ImageSharp.Native;

/// <summary>The TurboJPEG API, version 2 (turbojpeg.h).</summary>
internal static unsafe class TurboJpeg
{
    public const int ErrorIsWarning = 0;

    /// <summary>Stop after 500 scans: a small progressive file can otherwise take minutes.</summary>
    public const int FlagLimitScans = 32768;

    static TurboJpeg() => NativeLibraries.Register();

    public enum PixelFormat
    {
        Rgb = 0,
        Grey = 6,
        Rgba = 7,
        Cmyk = 11,
    }

    public enum ColorSpace
    {
        Cmyk = 3,
        Ycck = 4,
    }

    public enum Subsampling
    {
        Yuv444 = 0,
        Yuv422 = 1,
        Yuv420 = 2,
        Grey = 3,
    }

    [DllImport(NativeLibraries.TurboJpeg)]
    public static extern nint tjInitDecompress();

    [DllImport(NativeLibraries.TurboJpeg)]
    public static extern nint tjInitCompress();

    [DllImport(NativeLibraries.TurboJpeg)]
    public static extern int tjDestroy(nint handle);

    [DllImport(NativeLibraries.TurboJpeg)]
    public static extern int tjDecompressHeader3(
        nint handle, byte* jpeg, CULong size, out int width, out int height, out Subsampling subsampling, out ColorSpace colorSpace);

    [DllImport(NativeLibraries.TurboJpeg)]
    public static extern int tjDecompress2(
        nint handle, byte* jpeg, CULong size, void* destination, int width, int pitch, int height, PixelFormat format, int flags);

    [DllImport(NativeLibraries.TurboJpeg)]
    public static extern int tjCompress2(
        nint handle, void* source, int width, int pitch, int height, PixelFormat format,
        ref byte* jpeg, ref CULong size, Subsampling subsampling, int quality, int flags);

    [DllImport(NativeLibraries.TurboJpeg)]
    public static extern void tjFree(byte* buffer);

    [DllImport(NativeLibraries.TurboJpeg)]
    public static extern int tjGetErrorCode(nint handle);

    public static string Error(nint handle) => Marshal.PtrToStringUTF8(tjGetErrorStr2(handle)) ?? "unknown error";

    [DllImport(NativeLibraries.TurboJpeg)]
    private static extern nint tjGetErrorStr2(nint handle);
}
