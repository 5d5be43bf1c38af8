using FunctionsPipeline.Datasets.Hub;
using FunctionsPipeline.Datasets.Rows;

namespace FunctionsPipeline.Datasets.Planning;

/// <summary>
/// Divides the rows of files into units of complete row groups, as reading some rows of a row group costs as much as reading all of it.
/// </summary>
/// <param name="unitRows">Target number of taken rows per unit.</param>
/// <param name="embedded">True when the images are embedded in the files. Otherwise row groups are small in bytes while downloading their
/// images takes long, so that large ones are divided.</param>
internal sealed class UnitPlanner(IReadOnlyDictionary<string, SplitRows> splits, int unitRows, bool embedded)
{
    // Bounds the repeated reads: every unit within a row group reads the complete row group.
    private const int MostUnitsOfGroup = 32;

    // Names have five digits by which they are listed in order: units grow before there are so many. Files add some that are not full.
    private const int MostFullUnits = 50_000;

    // About 100 MB of images as shops have them, and never so many rows that a shard is gigabytes.
    private const int ShardRows = 1000;

    private readonly int _unitRows = (int)Math.Max(unitRows, splits.Values.Sum(split => split.Taken) / MostFullUnits);
    private readonly List<PlannedFile> _files = [];
    private readonly List<IngestUnit> _units = [];
    private readonly Dictionary<string, long> _ends = [];

    public IReadOnlyList<PlannedFile> Files => _files;

    public IReadOnlyList<IngestUnit> Units => _units;

    /// <summary>Number of consecutive units whose rows share a training shard.</summary>
    public int UnitsPerShard
    {
        get
        {
            var taken = splits.Values.Sum(split => split.Taken);
            return (int)Math.Max(1, (long)ShardRows * _units.Count / Math.Max(1, taken));
        }
    }

    /// <summary>Adds a file, the next one of its split.</summary>
    public void Add(MeasuredFile file)
    {
        var fileStart = _ends.GetValueOrDefault(file.Split);
        _ends[file.Split] = fileStart + file.Rows;
        var (split, firstUnit) = (splits[file.Split], _units.Count);
        var (start, position, largest) = (fileStart, fileStart, 0L);
        foreach (var group in file.RowGroups)
        {
            var end = position + group.Rows;
            var taken = split.TakenBefore(end) - split.TakenBefore(position);
            if (!embedded && taken > 2 * _unitRows)
            {
                // A large row group of URLs: the rows before it become a unit, and it is divided into units of its own.
                AddUnit(start, position);
                largest = group.Bytes;
                var unitTaken = Math.Max(_unitRows, (taken + MostUnitsOfGroup - 1) / MostUnitsOfGroup);
                for (start = position; start < end;)
                {
                    var next = Math.Min(end, split.RowsHolding(split.TakenBefore(start) + unitTaken));
                    AddUnit(start, next);
                    start = next;
                }
                largest = 0;
            }
            else
            {
                // Row groups are collected until the unit has enough taken rows.
                largest = Math.Max(largest, group.Bytes);
                if (split.TakenBefore(end) - split.TakenBefore(start) >= _unitRows)
                {
                    AddUnit(start, end);
                    (start, largest) = (end, 0);
                }
            }
            position = end;
        }
        AddUnit(start, position);
        _files.Add(new PlannedFile(file.Split, file.Hub, file.Rows, firstUnit, _units.Count - firstUnit));

        void AddUnit(long from, long to)
        {
            if (split.TakenBefore(to) > split.TakenBefore(from))
            {
                _units.Add(new IngestUnit(_units.Count, file.Split, file.Hub.Path, fileStart, from, to - from, largest)
                {
                    FileNumber = _files.Count,
                });
            }
        }
    }
}

/// <summary>A Parquet file of the dataset with the sizes of its row groups.</summary>
internal sealed record MeasuredFile(string Split, HubFileInfo Hub, IReadOnlyList<RowGroupSize> RowGroups)
{
    public long Rows { get; } = RowGroups.Sum(group => group.Rows);

    /// <summary>Names of the columns; empty for what is no file.</summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    public static MeasuredFile Of(ListedFile listed, ParquetFile file) =>
        new(listed.Split, listed.Hub, [.. file.RowGroups.Select(group => new RowGroupSize(group.NumRows, group.TotalByteSize))])
        {
            Columns = [.. file.Columns.Select(column => column.Name)],
        };
}

/// <summary>Size of a row group.</summary>
/// <param name="Bytes">Uncompressed bytes of all columns.</param>
internal sealed record RowGroupSize(long Rows, long Bytes);
