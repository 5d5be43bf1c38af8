using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets;

/// <summary>
/// Assigns rows to splits. A dataset's own validation and test splits are used as such; a missing one is taken from the other splits by a
/// hash of the product, so that a product keeps its split in other views, with more rows and in another order.
/// </summary>
internal sealed class SplitRule
{
    private readonly HashSet<string> _own;
    private readonly double _validation;
    private readonly double _test;

    /// <param name="splits">The dataset's own splits that have rows.</param>
    public SplitRule(IEnumerable<string> splits, DatasetRequest request)
    {
        var names = splits.ToList();
        _own = [.. names.Where(name => name is Splits.Validation or Splits.Test)];
        // A dataset with only a validation or test split has no other rows to train on, so that those are divided.
        if (_own.Count == names.Count) _own.Clear();
        _validation = _own.Contains(Splits.Validation) ? 0 : request.ValidationFraction;
        _test = _own.Contains(Splits.Test) ? 0 : request.TestFraction;
    }

    /// <summary>Creates the rule of a dataset.</summary>
    public static SplitRule Of(IngestPlan dataset) =>
        new(dataset.Splits.Where(split => split.Value.Taken > 0).Select(split => split.Key), dataset.Request);

    /// <summary>Assigns a row to one of <see cref="Splits"/>.</summary>
    /// <param name="sourceSplit">The dataset's own split.</param>
    /// <param name="product">Value of the product column; when null, the image identifies the product.</param>
    /// <param name="image">SHA-256 of the image's bytes; empty where the row has no usable image.</param>
    public string SplitOf(string sourceSplit, string? product, ReadOnlySpan<byte> image)
    {
        if (_own.Contains(sourceSplit)) return sourceSplit;
        if (product is null && image.IsEmpty) return Splits.Train;
        var hash = product is null ? image : SHA256.HashData(Encoding.UTF8.GetBytes(product));
        var place = BinaryPrimitives.ReadUInt64BigEndian(hash);
        if (place < _validation * ulong.MaxValue) return Splits.Validation;
        return place < (_validation + _test) * ulong.MaxValue ? Splits.Test : Splits.Train;
    }
}
