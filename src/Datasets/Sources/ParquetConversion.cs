using System.Text;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>Converts the tables of a source to Parquet, as the Hub does with datasets in other forms.</summary>
/// <param name="folder">Folder to which the request restricts the files; null for all.</param>
/// <param name="maxImageBytes">Maximum size of an image in bytes.</param>
internal sealed class ParquetConversion(IDatasetFiles source, string? folder, long maxImageBytes)
{
    /// <summary>Writes a table as Parquet.</summary>
    /// <param name="target">A seekable stream.</param>
    /// <param name="mostRows">Number of rows after which to stop; null for all.</param>
    /// <returns><see cref="TableRows.Description"/> of the table, with its columns that have lists of images.</returns>
    /// <exception cref="RequestException">The file changed since it was listed, or is no table of its form.</exception>
    public async Task<string> WriteAsync(SourceTable table, Stream target, int? mostRows, CancellationToken cancellationToken)
    {
        await using var file = table.Form == TableForm.ImageFolder ? Stream.Null : await source.OpenAsync(table.File, cancellationToken);
        if (table.Form == TableForm.Parquet)
        {
            await file.CopyToAsync(target, cancellationToken);
            return "";
        }
        var encoding = TextEncoding.Utf8;
        TableColumns? columns = null;
        while (true)
        {
            target.SetLength(0);
            try
            {
                var (description, rows) = await OpenAsync(table, file, encoding, cancellationToken);
                var writer = new TableWriter(columns, hasImages: table.Form == TableForm.WebDataset);
                await writer.WriteAsync(mostRows is { } most ? rows.Take(most) : rows, target, cancellationToken);
                if (writer.IsComplete) return Described(description, writer.Columns.Lists);
                columns = writer.Columns;
            }
            catch (DecoderFallbackException) when (encoding != TextEncoding.Windows1252)
            {
                encoding = TextEncoding.Windows1252;
            }
            catch (InvalidDataException e)
            {
                throw new RequestException(source.Field, 400, e.Message);
            }
        }
    }

    private static string Described(string description, IReadOnlyList<string> lists) => lists.Count == 0 ? description
        : string.Join(", ", new[] { description, $"lists of images in {string.Join(" and ", lists)}" }.Where(part => part.Length > 0));

    private async Task<TableRows> OpenAsync(SourceTable table, Stream file, Encoding encoding, CancellationToken cancellationToken) =>
        table.Form switch
        {
            TableForm.Csv => await CsvTable.OpenAsync(file, encoding, table.File.Path, cancellationToken),
            TableForm.JsonLines => await JsonTable.OpenLinesAsync(file, encoding, cancellationToken),
            TableForm.JsonList => await JsonTable.OpenListAsync(file, encoding, table.File.Path, cancellationToken),
            TableForm.WebDataset => new TableRows("", WebDatasetTable.ReadAsync(Rewound(file), maxImageBytes, cancellationToken)),
            _ => await OpenFolderAsync(table, encoding, cancellationToken),
        };

    private async Task<TableRows> OpenFolderAsync(SourceTable table, Encoding encoding, CancellationToken cancellationToken)
    {
        var listing = await source.ListAsync(cancellationToken);
        var form = DatasetForm.Of(source, listing.Files, folder);
        if (!form.Tables.Contains(table))
            throw new RequestException(source.Field, 409, $"files of {source.Name} were changed meanwhile: start again");
        return await ImageFolderTable.OpenAsync(source, form.Files, table.Split, encoding, cancellationToken);
    }

    private static Stream Rewound(Stream file)
    {
        file.Position = 0;
        return file;
    }
}
