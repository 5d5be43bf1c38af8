using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FineTuning;

/// <summary>One sample of a WebDataset shard: its labels, and where in the shard its encoded image lies.</summary>
/// <param name="Shard">Local path of the tar file.</param>
/// <param name="Offset">Where the image begins in it, in bytes.</param>
/// <param name="Length">Bytes of the encoded image.</param>
public sealed record Sample(SampleLabels Labels, string Shard, long Offset, int Length)
{
    /// <summary>What the model should say about the image.</summary>
    public Answer Answer => new(Labels.Title, Labels.Category, Labels.Price);

    /// <summary>The encoded image.</summary>
    public byte[] ReadImage()
    {
        using var file = File.OpenHandle(Shard);
        var bytes = new byte[Length];
        for (var read = 0; read < Length;)
        {
            var count = RandomAccess.Read(file, bytes.AsSpan(read), Offset + read);
            if (count == 0) throw new TrainingException($"The shard {Path.GetFileName(Shard)} ends inside the image of {Labels.Key}.");
            read += count;
        }
        return bytes;
    }
}
