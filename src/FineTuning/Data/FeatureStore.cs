using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Cache on disk of a frozen vision tower's outputs, so that the tower processes every image once, also across runs. A damaged entry counts
/// as missing, and an entry that cannot be written is skipped. Safe for concurrent use.
/// </summary>
/// <remarks>
/// One folder per combination of tower and processor, one file per image. When the budget is used up, entries that this process has not
/// used are removed, the oldest first; used entries stay, as every epoch reads all of them again.
/// </remarks>
internal sealed class FeatureStore
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
    public FeatureStore(string root, string tower, int numCrops, long budget)
    {
        _budget = budget;
        var key = SHA256.HashData(Encoding.UTF8.GetBytes($"{tower}\n{numCrops}\n{ProcessorVersion}"));
        _folder = Directory.CreateDirectory(Path.Combine(root, Convert.ToHexStringLower(key)[..16])).FullName;
        var files = new DirectoryInfo(root).EnumerateFiles("*", SearchOption.AllDirectories).OrderBy(file => file.LastWriteTimeUtc).ToList();
        _removable = new Queue<FileInfo>(files);
        _bytes = files.Sum(file => file.Length);
    }

    /// <summary>True when a sample's image has an entry, which may turn out to be damaged.</summary>
    public bool Has(Sample sample) => File.Exists(PathOf(sample.Labels.Sha256));

    /// <summary>Reads the features of a sample's image; null when the entry is missing or damaged.</summary>
    public ImageFeatures? Get(Sample sample)
    {
        var path = PathOf(sample.Labels.Sha256);
        if (!File.Exists(path)) return null;
        _used[path] = true;
        try
        {
            if (FeatureFile.Read(path) is { } features)
            {
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

    /// <summary>Stores the features of a sample's image.</summary>
    /// <returns>True when the features are stored.</returns>
    public bool Put(Sample sample, ImageFeatures features)
    {
        var path = PathOf(sample.Labels.Sha256);
        _used[path] = true;
        if (File.Exists(path)) return true;
        var size = FeatureFile.SizeOf(features);
        if (!Reserve(size)) return false;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            FeatureFile.Write(path, features);
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
