namespace FunctionsPipeline.Benchmarks;

/// <summary>How a dataset has its images.</summary>
internal enum ImageKind
{
    Url,
    Embedded,
}

/// <summary>What tables call it.</summary>
internal static class ImageKindNames
{
    public static string Describe(this ImageKind kind) => kind == ImageKind.Url ? "by URL" : "embedded";
}
