using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.SampleData;

/// <summary>Predefined sets of fault rules for the command line.</summary>
public static class FaultPresets
{
    /// <summary>
    /// Faults of a bad day: of the images served by URL, 1 % answer 404, 1 % answer 503 once, 1 % stall and 1 % are corrupt; a connection
    /// is cut once in the middle of each Parquet file.
    /// </summary>
    public static IReadOnlyList<FaultRule> BadDay { get; } =
    [
        new(CatalogPictures.Path + "*", new StatusFault(StatusCodes.Status404NotFound)) { Share = 0.01 },
        new(CatalogPictures.Path + "*", new StatusFault(StatusCodes.Status503ServiceUnavailable, ("Retry-After", "1")))
        {
            Share = 0.01, Times = 1,
        },
        new(CatalogPictures.Path + "*", new StallFault()) { Share = 0.01 },
        new(CatalogPictures.Path + "*", new CorruptFault()) { Share = 0.01 },
        new("/cdn/datasets/*.parquet", new CutFault()) { Times = 1 },
    ];
}
