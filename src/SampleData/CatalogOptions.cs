using System.CommandLine;

namespace FunctionsPipeline.SampleData;

/// <summary>Command-line options that select the catalog.</summary>
internal static class CatalogOptions
{
    public static Option<int?> Rows { get; } = new("--rows")
    {
        Description = $"Rows in all; {SampleHub.DefaultRows} of the drawn catalog, or all pictures of the folder, when left out.",
    };

    public static Option<string?> Images { get; } = new("--images")
    {
        Description = "Folder of pictures to use instead of the drawn catalog.",
        HelpName = "DIR",
    };

    public static Option<int> Seed { get; } = new("--seed")
    {
        Description = "Decides what is drawn, and which pictures are taken.",
        DefaultValueFactory = _ => 0,
    };

    public static Option<int> HoldBack { get; } = new("--hold-back")
    {
        Description = "Pictures to keep out of every split.",
        DefaultValueFactory = _ => 0,
    };
}
