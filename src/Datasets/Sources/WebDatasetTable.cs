using System.Formats.Tar;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>
/// Reads the samples of a WebDataset tar: consecutive files whose names are equal up to the first dot. An image file is the sample's image;
/// <c>json</c> gives columns of its members, <c>txt</c> the column <c>text</c> and <c>cls</c> the column <c>label</c>.
/// </summary>
internal static class WebDatasetTable
{
    // In bytes, for everything but images.
    private const long LongestText = 1 << 20;

    /// <param name="tar">A stream, which stays open.</param>
    /// <param name="maxImageBytes">Maximum size of an image in bytes; larger ones make their sample unreadable.</param>
    public static async IAsyncEnumerable<TableRow> ReadAsync(
        Stream tar, long maxImageBytes, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var reader = new TarReader(tar, leaveOpen: true);
        Sample? sample = null;
        while (true)
        {
            string? fault = null;
            Sample? ended = null;
            try
            {
                var entry = await reader.GetNextEntryAsync(copyData: false, cancellationToken);
                if (entry is null) break;
                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile)) continue;
                var start = entry.Name.LastIndexOf('/') + 1;
                var dot = entry.Name.IndexOf('.', start);
                if (dot < 0 || FileListing.IsHidden(entry.Name)) continue;
                var key = entry.Name[..dot];
                if (sample?.Key != key) (ended, sample) = (sample, new Sample(key, maxImageBytes));
                await sample.AddAsync(entry.Name[(dot + 1)..].ToLowerInvariant(), entry, cancellationToken);
            }
            // A blob's stream refuses a position beyond its end by an ArgumentException.
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or ArgumentException)
            {
                var reason = e is ArgumentException ? "It ends too early." : e.Message;
                fault = $"the tar is damaged after {sample?.Key ?? "its beginning"}: {reason} The rest is not read";
            }
            if (ended is not null) yield return ended.ToRow();
            if (fault is null) continue;
            yield return TableRow.Unreadable(fault);
            yield break;
        }
        if (sample is not null) yield return sample.ToRow();
    }

    private sealed class Sample(string key, long maxImageBytes)
    {
        private readonly List<string> _columns = ["__key__"];
        private readonly List<string?> _values = [key];
        // No array: none would become an empty image.
        private ReadOnlyMemory<byte>? _image;
        private string? _fault;

        public string Key => key;

        public async Task AddAsync(string extension, TarEntry entry, CancellationToken cancellationToken)
        {
            var isImage = DatasetForm.IsImage($".{extension}");
            if (isImage ? _image is not null : extension is not ("json" or "txt" or "cls")) return;
            var most = isImage ? maxImageBytes : LongestText;
            if (entry.Length > most)
            {
                _fault = string.Create(CultureInfo.InvariantCulture,
                    $"{entry.Name} has {entry.Length:N0} bytes; at most {most:N0} are read");
                return;
            }
            var content = new byte[entry.Length];
            if (entry.DataStream is { } data) await data.ReadExactlyAsync(content, cancellationToken);
            if (isImage) _image = content;
            else if (extension == "json") AddMembers(entry.Name, content);
            else Add(extension == "txt" ? "text" : "label", Encoding.UTF8.GetString(content).Trim());
        }

        public TableRow ToRow() => _fault is not null
            ? TableRow.Unreadable(_fault)
            : new TableRow(_columns, _values) { Image = _image };

        private void AddMembers(string name, byte[] content)
        {
            try
            {
                using var document = JsonDocument.Parse(content);
                if (document.RootElement.ValueKind != JsonValueKind.Object) throw new JsonException("it is no object");
                var row = JsonTable.Row(document.RootElement);
                foreach (var (column, value) in row.Columns.Zip(row.Values)) Add(column, value);
            }
            catch (JsonException e)
            {
                _fault = $"{name} is no JSON: {e.Message}";
            }
        }

        private void Add(string column, string? value)
        {
            // The image itself has that name.
            if (column == TableWriter.ImageColumn) column = "image_name";
            if (_columns.Contains(column)) return;
            _columns.Add(column);
            _values.Add(value);
        }
    }
}
