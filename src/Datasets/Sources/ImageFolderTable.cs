using System.Text;
using FunctionsPipeline.Datasets.Hub;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>
/// Makes a table of the images of a split: the path, the folder as the label, and the columns of files <c>metadata.csv</c> or
/// <c>metadata.jsonl</c> in the row that has the image's <c>file_name</c>, relative to the folder of that file.
/// </summary>
internal static class ImageFolderTable
{
    private const string FileName = "file_name";
    private const string Image = "image";
    private const string Label = "label";

    /// <param name="split">The split whose images are listed.</param>
    /// <param name="encoding">Encoding of metadata without a byte order mark.</param>
    /// <exception cref="InvalidDataException">Metadata has no column <c>file_name</c>.</exception>
    public static async Task<TableRows> OpenAsync(IDatasetFiles source, IReadOnlyList<HubFileInfo> files, string split, Encoding encoding,
        CancellationToken cancellationToken)
    {
        var described = new Dictionary<string, TableRow>(StringComparer.Ordinal);
        var faults = new List<TableRow>();
        foreach (var file in files.Where(DatasetForm.IsMetadata))
        {
            var folder = file.Path[..(file.Path.LastIndexOf('/') + 1)];
            await using var stream = await source.OpenAsync(file, cancellationToken);
            var table = Path.GetExtension(file.Path).Equals(".csv", StringComparison.OrdinalIgnoreCase)
                ? await CsvTable.OpenAsync(stream, encoding, file.Path, cancellationToken)
                : await JsonTable.OpenLinesAsync(stream, encoding, cancellationToken);
            await foreach (var row in table.Rows.WithCancellation(cancellationToken))
            {
                if (row.Fault is { } fault)
                {
                    if (DatasetForm.SplitOfImage(file.Path) == split) faults.Add(TableRow.Unreadable($"{file.Path}, {fault}"));
                    continue;
                }
                var place = row.Columns.ToList().IndexOf(FileName);
                if (place < 0)
                {
                    throw new InvalidDataException(
                        $"{file.Path} has no column {FileName}, which names the image of a row; it has: {string.Join(", ", row.Columns)}");
                }
                if (row.Values[place] is { } name) described[folder + name.Replace('\\', '/')] = row;
            }
        }
        return new TableRows(described.Count > 0 ? "with metadata" : "", Rows(files, split, described, faults).ToAsyncEnumerable());
    }

    private static IEnumerable<TableRow> Rows(
        IReadOnlyList<HubFileInfo> files, string split, Dictionary<string, TableRow> described, List<TableRow> faults)
    {
        foreach (var image in files.Where(DatasetForm.IsImage))
        {
            var metadata = described.GetValueOrDefault(image.Path);
            described.Remove(image.Path);
            if (DatasetForm.SplitOfImage(image.Path) == split) yield return Row(image.Path, metadata);
        }
        // Rows whose image is missing are rejected as such.
        foreach (var (path, metadata) in described)
            if (DatasetForm.SplitOfImage(path) == split) yield return Row(path, metadata);
        foreach (var fault in faults) yield return fault;
    }

    private static TableRow Row(string path, TableRow? metadata)
    {
        List<string> columns = [Image];
        List<string?> values = [path];
        foreach (var (column, value) in (metadata?.Columns ?? []).Zip(metadata?.Values ?? []))
        {
            if (column is FileName or Image) continue;
            columns.Add(column);
            values.Add(value);
        }
        if (DatasetForm.LabelOf(path) is { } label && !columns.Contains(Label))
        {
            columns.Add(Label);
            values.Add(label);
        }
        return new TableRow(columns, values);
    }
}
