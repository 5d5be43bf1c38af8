using System.Security.Cryptography;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets.Hub;

namespace FunctionsPipeline.Datasets.Sources;

/// <summary>Forms that the files of a dataset have.</summary>
public enum TableForm
{
    Parquet,

    /// <summary>Tables with a separator: comma, semicolon, tab or bar.</summary>
    Csv,

    /// <summary>JSON objects, one per line.</summary>
    JsonLines,

    /// <summary>An array of objects, or lists of images, annotations and categories as in COCO.</summary>
    JsonList,

    /// <summary>Tar files, each sample some consecutive files of the same name.</summary>
    WebDataset,

    /// <summary>Images in folders named after splits and labels, with or without a file <c>metadata</c>.</summary>
    ImageFolder,
}

/// <summary>A table of a dataset: a file, or the images of a split.</summary>
/// <param name="Split">The dataset's own split.</param>
/// <param name="File">The file; of an image folder its path is empty, and its version is a hash of the split's files.</param>
public sealed record SourceTable(TableForm Form, string Split, HubFileInfo File)
{
    // Version of the conversion. Part of the converted file's name, so that a later version converts again.
    private const int Conversion = 3;

    /// <summary>The table as the Parquet file that it is converted to: its SHA-256 stands for the content that it was made of.</summary>
    internal HubFileInfo Converted => new(Form == TableForm.ImageFolder ? Split : File.Path, File.Size, ConvertedId, "");

    private string ConvertedId => Convert.ToHexStringLower(SHA256.HashData(
        JsonSerializer.SerializeToUtf8Bytes(new { Conversion, Form, Split, File }, PipelineJson.Compact)));
}
