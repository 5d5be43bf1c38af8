using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Phi3Vision.Vision;
using static TorchSharp.torch;

namespace FunctionsPipeline.FineTuning.Data;

/// <summary>
/// Cache on disk of a frozen vision tower's outputs, so that the tower processes every image once, also across runs. A damaged entry counts
/// as missing, and an entry that cannot be written is skipped. Safe for concurrent use.
/// </summary>
/// <remarks>
/// One folder per combination of tower and processor, one file per image. When the budget is used up, entries that this process has not
/// used are removed, the oldest first; used entries stay, as every epoch reads all of them again.
/// </remarks>
internal sealed class VisionFeatureCache
{
    // Raise when the image processor gives other pixels for the same image.
    private const int ProcessorVersion = 1;

    private readonly string _folder;
    private readonly long _budget;
    private readonly Lock _lock = new();
    private readonly Queue<FileInfo> _removable;
    private readonly ConcurrentDictionary<string, bool> _used = new(StringComparer.Ordinal);
    private long _bytes;

    /// <param name="root">Folder for the features of all towers.</param>
    /// <param name="tower">Key of the frozen tower's weights and type.</param>
    /// <param name="numCrops">Maximum number of crops of an image.</param>
    /// <param name="budget">Maximum bytes of all files below <paramref name="root"/>.</param>
    public VisionFeatureCache(string root, string tower, int numCrops, long budget)
    {
        _budget = budget;
        var key = SHA256.HashData(Encoding.UTF8.GetBytes($"{tower}\n{numCrops}\n{ProcessorVersion}"));
        _folder = Directory.CreateDirectory(Path.Combine(root, Convert.ToHexStringLower(key)[..16])).FullName;
        var files = new DirectoryInfo(root).EnumerateFiles("*", SearchOption.AllDirectories)
            .OrderBy(file => file.LastWriteTimeUtc).ToList();
        _removable = new Queue<FileInfo>(files);
        _bytes = files.Sum(file => file.Length);
    }

    /// <summary>True when an image has an entry, which may turn out to be damaged. The entry stays as long as the cache.</summary>
    public bool Has(ShardImage image)
    {
        var path = PathOf(image.Sha256);
        if (!File.Exists(path)) return false;
        _used[path] = true;
        return true;
    }

    /// <summary>Reads the features of an image; null when the entry is missing or damaged.</summary>
    public ImageFeatures? Get(ShardImage image)
    {
        var path = PathOf(image.Sha256);
        if (!File.Exists(path)) return null;
        // Marked first: a concurrent Reserve spares the entry. One that looked before removes it, and the entry counts as missing.
        _used[path] = true;
        try
        {
            if (VisionFeatureFile.Read(path) is { } features)
            {
                // The age by which later runs choose what to remove.
                File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
                return features;
            }
            Remove(new FileInfo(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // An unreadable entry counts as missing.
        }
        return null;
    }

    /// <summary>Stores the features of an image.</summary>
    /// <returns>True when the features are stored.</returns>
    public bool Put(ShardImage image, ImageFeatures features)
    {
        var path = PathOf(image.Sha256);
        _used[path] = true;
        if (File.Exists(path)) return true;
        var size = VisionFeatureFile.SizeOf(features);
        if (!Reserve(size)) return false;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            VisionFeatureFile.Write(path, features);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            lock (_lock) _bytes -= size;
            return false;
        }
    }

    private bool Reserve(long size)
    {
        lock (_lock)
        {
            while (_bytes + size > _budget && _removable.TryDequeue(out var oldest))
                if (!_used.ContainsKey(oldest.FullName)) Remove(oldest);
            if (_bytes + size > _budget) return false;
            _bytes += size;
            return true;
        }
    }

    private void Remove(FileInfo file)
    {
        lock (_lock)
        {
            if (!file.Exists) return;
            var length = file.Length;
            file.Delete();
            _bytes -= length;
        }
    }

    private string PathOf(string sha256) => Path.Combine(_folder, sha256[..2], sha256);
}

/// <summary>
/// File of one image's features, little-endian: seven fields of four bytes each, then the values. The fields are "PFv1", element type,
/// views, height, width, number of bytes of the values, and the CRC-32C of everything else.
/// </summary>
internal static class VisionFeatureFile
{
    private const int HeaderBytes = 28;
    private const int ChecksumAt = 24;

    private static ReadOnlySpan<byte> Magic => "PFv1"u8;

    /// <summary>Computes the size of the file in bytes.</summary>
    public static long SizeOf(ImageFeatures features) => HeaderBytes + (long)features.Values.Length;

    /// <summary>Writes the file under a temporary name and renames it, so that a reader never finds a partial file.</summary>
    public static void Write(string path, ImageFeatures features)
    {
        var header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        // At offsets 4, 8, 12, 16 and 20. The checksum at 24 covers bytes 0 to 23 and the values.
        int[] numbers = [(int)features.Type, features.Views, features.Height, features.Width, features.Values.Length];
        for (var i = 0; i < numbers.Length; i++) BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4 + 4 * i), numbers[i]);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(ChecksumAt), Checksum(header.AsSpan(0, ChecksumAt), features.Values));
        var draft = $"{path}.{Guid.NewGuid():N}";
        try
        {
            using (var file = File.OpenHandle(draft, FileMode.CreateNew, FileAccess.Write))
                RandomAccess.Write(file, [header, features.Values], 0);
            File.Move(draft, path, overwrite: true);
        }
        finally
        {
            File.Delete(draft);
        }
    }

    /// <summary>Reads the file; null when it is incomplete or damaged.</summary>
    public static ImageFeatures? Read(string path)
    {
        var bytes = File.ReadAllBytes(path);
        if (bytes.Length < HeaderBytes || !bytes.AsSpan().StartsWith(Magic)) return null;
        int Number(int i) => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4 + 4 * i));
        if (Number(4) != bytes.Length - HeaderBytes) return null;
        var values = bytes[HeaderBytes..];
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(ChecksumAt)) == Checksum(bytes.AsSpan(0, ChecksumAt), values)
            ? new ImageFeatures(values, (ScalarType)Number(0), Number(1), Number(2), Number(3))
            : null;
    }

    // CRC-32C of header and values, eight bytes at a time; an 8-byte step equals eight 1-byte steps in little-endian order.
    // Without the final inversion of RFC 3720: no other program compares it.
    private static uint Checksum(ReadOnlySpan<byte> header, ReadOnlySpan<byte> values) => Add(Add(uint.MaxValue, header), values);

    private static uint Add(uint checksum, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            checksum = BitOperations.Crc32C(checksum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (var single in bytes) checksum = BitOperations.Crc32C(checksum, single);
        return checksum;
    }
}
