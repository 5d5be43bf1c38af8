using System.CommandLine;
using System.Text.Json;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.LocalHost.Uploads;

/// <summary><c>ingest</c>: uploads a folder with tables and images, and has it ingested.</summary>
internal static partial class IngestCommand
{
    public static Command Create()
    {
        var folder = new Argument<DirectoryInfo>("DIR")
        {
            Description = "Folder with the dataset: tables (Parquet, CSV, TSV, JSON, JSON lines) with URLs or relative paths of images, " +
                "images in {split}/{label}/, or WebDataset tars.",
        };
        var container = new Option<string?>("--container")
        {
            Description = "Container that the folder is uploaded to. Left out: that of --request, or the folder's name.",
            HelpName = "NAME",
        };
        var columns = new Option<string?>("--columns")
        {
            Description = "Columns of the tables, as in a request. Left out: guessed.",
            HelpName = "JSON",
        };
        var request = new Option<FileInfo?>("--request")
        {
            Description = "A JSON file with the 'dataset' part of a request, in place of --columns. Its source says where to upload.",
            HelpName = "FILE",
        };
        var connection = UploadCommand.Connection();
        var url = new Option<Uri>("--url")
        {
            Description = "URL of the Functions app.",
            DefaultValueFactory = _ => new Uri("http://127.0.0.1:7071/"),
            CustomParser = UpCommand.ParseUrl,
        };
        var key = new Option<string?>("--key")
        {
            Description = "Function key, which the app wants in Azure.",
        };
        var command = new Command("ingest", """
            Uploads a folder with a dataset to a container, starts its ingestion, and prints the report. What is there already is not
            uploaded again.

            Example: ingest catalog --columns '{ "image": "photo", "title": "name", "price": "price" }'
            """)
        { folder, container, columns, request, connection, url, key };
        command.SetAction((arguments, cancellationToken) =>
        {
            var local = arguments.GetValue(folder)!;
            var dataset = Request(local, arguments.GetValue(container), arguments.GetValue(columns), arguments.GetValue(request));
            return new IngestScenario(arguments.GetValue(url)!, arguments.GetValue(key))
                .RunAsync(local, dataset, UploadCommand.ConnectionOf(arguments.GetValue(connection)), cancellationToken);
        });
        return command;
    }

    /// <summary>Makes the name of a container of a folder's name.</summary>
    public static string ContainerOf(DirectoryInfo folder)
    {
        const int Shortest = 3;
        const int Longest = 63;
        var name = NoName().Replace(folder.Name.ToLowerInvariant(), "-").Trim('-');
        if (name.Length > Longest) name = name[..Longest].Trim('-');
        return name.Length >= Shortest ? name : $"{name}-catalog".Trim('-');
    }

    /// <exception cref="JsonException">The text is no column mapping.</exception>
    public static ColumnMapping ReadColumns(string json) => Read<ColumnMapping>(json);

    /// <summary>Makes the request of the command's options.</summary>
    /// <exception cref="InvalidOperationException">An option is no JSON of its kind, or two exclude each other.</exception>
    internal static DatasetRequest Request(DirectoryInfo folder, string? container, string? columns, FileInfo? file)
    {
        if (columns is not null && file is not null) throw new InvalidOperationException("Name --columns or --request, not both.");
        try
        {
            var request = file is null ? new DatasetRequest() : Read<DatasetRequest>(File.ReadAllText(file.FullName));
            var source = request.Source ?? new DatasetSource();
            return request with
            {
                Source = source with { Container = container ?? (source.Container is { Length: > 0 } named ? named : ContainerOf(folder)) },
                Columns = columns is null ? request.Columns : ReadColumns(columns),
            };
        }
        catch (JsonException e)
        {
            throw new InvalidOperationException($"{(file is null ? "--columns" : file.FullName)}: {PipelineJson.Explain(e)}", e);
        }
    }

    private static T Read<T>(string json) =>
        JsonSerializer.Deserialize<T>(json, PipelineJson.Options) ?? throw new JsonException("it is null");

    [GeneratedRegex("[^a-z0-9]+")]
    private static partial Regex NoName();
}
