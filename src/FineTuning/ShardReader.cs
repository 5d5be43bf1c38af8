using System.Formats.Tar;
using System.Text.Json;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>
/// Lists the samples of a WebDataset shard: tar members <c>{key}.jpg|jpeg|png|webp</c> and <c>{key}.json</c> (<see cref="SampleLabels"/>)
/// side by side.
/// Images stay in the file until they are needed.
/// </summary>
public static class ShardReader
{
    /// <summary>The samples in the order of the shard.</summary>
    /// <param name="path">A tar file.</param>
    /// <exception cref="TrainingException">It is no tar file, or a sample lacks one of its halves.</exception>
    public static IReadOnlyList<Sample> Read(string path)
    {
        var shard = Path.GetFileName(path);
        var samples = new List<Sample>();
        var halves = new Dictionary<string, (SampleLabels? Labels, (long Offset, int Length)? Image)>(StringComparer.Ordinal);
        try
        {
            using var file = File.OpenRead(path);
            using var tar = new TarReader(file);
            while (tar.GetNextEntry() is { } entry)
            {
                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile)) continue;
                var (key, extension) = Split(entry.Name);
                var sample = halves.GetValueOrDefault(key);
                if (extension is "json") sample.Labels = ReadLabels(entry, key, shard);
                else if (extension is "jpg" or "jpeg" or "png" or "webp") sample.Image = (entry.DataOffset, checked((int)entry.Length));
                else continue;
                halves[key] = sample;
                if (sample is not ({ } labels, { } image)) continue;
                samples.Add(new Sample(labels, path, image.Offset, image.Length));
                halves.Remove(key);
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw new TrainingException($"The shard {shard} is not a readable tar file: {e.Message}", e);
        }
        if (halves.Count > 0)
        {
            var (key, half) = halves.First();
            var missing = half.Labels is null ? "labels (.json)" : "image";
            throw new TrainingException($"The sample {key} in the shard {shard} has no {missing}.");
        }
        return samples;
    }

    private static (string Key, string Extension) Split(string name)
    {
        var dot = name.IndexOf('.', name.LastIndexOf('/') + 1);
        return dot < 0 ? (name, "") : (name[..dot], name[(dot + 1)..].ToLowerInvariant());
    }

    private static SampleLabels ReadLabels(TarEntry entry, string key, string shard)
    {
        try
        {
            return JsonSerializer.Deserialize<SampleLabels>(entry.DataStream ?? Stream.Null, PipelineJson.Compact)!;
        }
        catch (JsonException e)
        {
            throw new TrainingException($"The labels of {key} in the shard {shard} are not what they should be: {e.Message}", e);
        }
    }
}
