namespace FunctionsPipeline.Tests;

/// <summary>The data that tests use when it is there: real photographs, the real tokenizer.</summary>
internal static class TestData
{
    /// <summary>The folder: <c>PIPELINE_TESTDATA</c>, or <c>../shared</c> beside the repository; null when it is not there.</summary>
    public static string? Root { get; } = Find();

    /// <summary>A path below <see cref="Root"/>.</summary>
    public static string Path(string relative) =>
        System.IO.Path.Combine(Root ?? throw new InvalidOperationException("../shared is not here"), relative);

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("PIPELINE_TESTDATA") is { Length: > 0 } configured)
            return Directory.Exists(configured) ? configured : null;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(System.IO.Path.Combine(folder.FullName, "FunctionsPipeline.sln"))) continue;
            var shared = System.IO.Path.Combine(folder.Parent!.FullName, "shared");
            return Directory.Exists(shared) ? shared : null;
        }
        return null;
    }
}
