using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// What a frozen vision tower makes of images, on disk, so that it sees every image once, also over several runs. A cache through and
/// through: an entry that is damaged is as good as none, and one that cannot be written is left out. Safe to use from several threads.
/// </summary>
/// <remarks>
/// One folder for each combination of tower and processor, one file for each image. When the budget is used up, entries go that this
/// process has not used, the oldest first; its own stay, as every epoch comes to all of them again.
/// </remarks>
internal sealed class FeatureStore
{
    // Changes when the same image gives other pixels than before.
    private const int ProcessorVersion = 1;

    private readonly string _folder;
    private readonly long _budget;
    private readonly Lock _lock = new();
    private readonly Queue<FileInfo> _removable;
    private readonly ConcurrentDictionary<string, bool> _used = new(StringComparer.Ordinal);
    private long _bytes;

    /// <param name="root">Folder for the features of all towers.</param>
    /// <param name="tower">Says which weights the frozen tower has, and the type that it computes in.</param>
    /// <param name="numCrops">Crops of an image at most.</param>
    /// <param name="budget">Bytes of all files below <paramref name="root"/>.</param>
    public FeatureStore(string root, string tower, int numCrops, long budget)
    {
        _budget = budget;
        var key = SHA256.HashData(Encoding.UTF8.GetBytes($"{tower}\n{numCrops}\n{ProcessorVersion}"));
        _folder = Directory.CreateDirectory(Path.Combine(root, Convert.ToHexStringLower(key)[..16])).FullName;
        var files = new DirectoryInfo(root).EnumerateFiles("*", SearchOption.AllDirectories).OrderBy(file => file.LastWriteTimeUtc).ToList();
        _removable = new Queue<FileInfo>(files);
        _bytes = files.Sum(file => file.Length);
    }

    /// <summary>Whether a sample's image has features here; they may turn out to be damaged.</summary>
    public bool Has(Sample sample) => File.Exists(PathOf(sample.Labels.Sha256));

    /// <summary>The features of a sample's image; null when there are none, or none that are whole.</summary>
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
            // As good as none.
        }
        return null;
    }

    /// <summary>Keeps the features of a sample's image.</summary>
    /// <returns>Whether there was room for them.</returns>
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
