using System.CommandLine;

namespace FunctionsPipeline.LocalHost.Uploads;

/// <summary><c>upload</c>: uploads images, and shows what is read in them.</summary>
internal static class UploadCommand
{
    private const string LocalStorage = "UseDevelopmentStorage=true";

    public static Command Create()
    {
        var paths = new Argument<string[]>("FILE|FOLDER")
        {
            Description = "Images, and folders whose images are uploaded under the folder's name.",
            Arity = ArgumentArity.OneOrMore,
        };
        var to = new Option<string>("--to")
        {
            Description = "Folder in the container product-images.",
            HelpName = "PREFIX",
            DefaultValueFactory = _ => "",
        };
        var wait = new Option<bool>("--wait")
        {
            Description = "Wait for the documents and print each in a line, between tabs: name, status, title, category, price and " +
                "confidence; or name, status, reason and detail.",
        };
        var connection = Connection();
        var command = new Command("upload", """
            Uploads images to the container product-images, where the pipeline reads them. An image of the same name is replaced.

            Example: upload --to shoes --wait photographs/*.jpg
            """)
        { paths, to, wait, connection };
        command.SetAction((arguments, cancellationToken) =>
        {
            var files = ImageFile.Find(arguments.GetValue(paths)!, arguments.GetValue(to)!);
            return UploadScenario.RunAsync(
                files,
                ConnectionOf(arguments.GetValue(connection)),
                arguments.GetValue(wait),
                cancellationToken);
        });
        return command;
    }

    /// <summary>Creates an option that <c>ingest</c> shares.</summary>
    public static Option<string?> Connection() => new("--connection")
    {
        Description = $"Connection string of the storage account. Left out: the setting PipelineStorage of the environment, or the " +
            $"account of ./pipeline up, {LocalStorage}.",
    };

    /// <summary>Returns the connection string that the option means.</summary>
    public static string ConnectionOf(string? option) =>
        option ?? Environment.GetEnvironmentVariable("PipelineStorage") ?? LocalStorage;
}
