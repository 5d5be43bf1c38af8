namespace FunctionsPipeline.LocalHost.Uploads;

/// <summary>File to upload.</summary>
/// <param name="Path">Path of the file.</param>
/// <param name="Name">Name of the image's blob.</param>
internal sealed record ImageFile(string Path, string Name)
{
    private static readonly HashSet<string> Extensions =
        new(StringComparer.OrdinalIgnoreCase) { ".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp" };

    /// <summary>
    /// Lists files as they are named, and the images below folders under the folder's own name, as <c>cp -r</c> copies them.
    /// </summary>
    /// <param name="paths">Paths of files and folders.</param>
    /// <param name="prefix">Folder in the container for all of them; may be empty.</param>
    /// <exception cref="InvalidOperationException">A path is neither, a folder has no images, or two files would have one name.</exception>
    public static IReadOnlyList<ImageFile> Find(IEnumerable<string> paths, string prefix)
    {
        var start = prefix.Trim('/') is { Length: > 0 } folder ? $"{folder}/" : "";
        List<ImageFile> files = [.. paths.SelectMany(Below).Select(file => file with { Name = start + file.Name })];
        foreach (var same in files.GroupBy(file => file.Name).Where(group => group.Count() > 1))
        {
            throw new InvalidOperationException(
                $"{string.Join(" and ", same.Select(file => file.Path))} would both be {same.Key}: upload them with different --to.");
        }
        return files;
    }

    private static IEnumerable<ImageFile> Below(string path)
    {
        if (File.Exists(path)) return [new ImageFile(path, System.IO.Path.GetFileName(path))];
        if (!Directory.Exists(path)) throw new InvalidOperationException($"{path} is neither a file nor a folder.");
        var folder = new DirectoryInfo(path);
        List<ImageFile> images =
        [
            .. folder.EnumerateFiles("*", SearchOption.AllDirectories)
                .Where(file => Extensions.Contains(file.Extension)).Select(file => file.FullName).Order(StringComparer.Ordinal)
                .Select(file => new ImageFile(file, $"{folder.Name}/{System.IO.Path.GetRelativePath(folder.FullName, file)}")),
        ];
        return images.Count > 0 ? images : throw new InvalidOperationException(
            $"There are no images ({string.Join(", ", Extensions.Select(extension => $"*{extension}"))}) in {path}.");
    }
}
