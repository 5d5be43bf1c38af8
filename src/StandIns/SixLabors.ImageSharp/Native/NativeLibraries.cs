using System.Reflection;
using System.Runtime.InteropServices;

namespace SixLabors.ImageSharp.Native;

/// <summary>Finds the system's codec libraries and says which package a missing one is in.</summary>
internal static class NativeLibraries
{
    public const string TurboJpeg = "turbojpeg";
    public const string Png = "png16";
    public const string Webp = "webp";

    private static readonly Dictionary<string, (string[] Files, string Package)> Known = new()
    {
        [TurboJpeg] = (["libturbojpeg.so.0", "libturbojpeg.dylib"], "libturbojpeg0"),
        [Png] = (["libpng16.so.16", "libpng16.dylib"], "libpng16-16"),
        [Webp] = (["libwebp.so.7", "libwebp.dylib"], "libwebp7"),
    };

    static NativeLibraries() => NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Resolve);

    /// <summary>Makes sure that the resolver is set; each binding calls it before its first native call.</summary>
    public static void Register() { }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (!Known.TryGetValue(name, out var library)) return 0;
        foreach (var file in library.Files)
            if (NativeLibrary.TryLoad(file, out var handle)) return handle;
        throw new DllNotFoundException($"{library.Files[0]} is not installed: apt-get install {library.Package}");
    }
}
