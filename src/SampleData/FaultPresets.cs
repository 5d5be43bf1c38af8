using Microsoft.AspNetCore.Http;

namespace FunctionsPipeline.SampleData;

/// <summary>Sets of faults for the command line.</summary>
public static class FaultPresets
{
    /// <summary>
    /// A bad day: of the pictures that are served by URL 1 % are gone, 1 % are there at the second try, 1 % stall and 1 % are damaged; a
    /// connection breaks once in the middle of each Parquet file.
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
