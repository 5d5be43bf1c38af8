using FunctionsPipeline.LocalHost.Uploads;

namespace FunctionsPipeline.LocalHost.Tests.Uploads;

public sealed class ImageFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("image-files-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_folder_keeps_its_name_and_its_order_and_gives_its_images_only()
    {
        Write("shoes/b.PNG", "shoes/red/a.jpg", "shoes/truth.jsonl");
        Assert.Equal(["new/shoes/b.PNG", "new/shoes/red/a.jpg"], Names("/new/", "shoes"));
    }

    [Fact]
    public void A_file_that_is_named_is_taken_whatever_it_is()
    {
        Write("notes.txt");
        Assert.Equal(["notes.txt"], Names("", "notes.txt"));
    }

    [Fact]
    public void What_is_not_there_or_has_no_images_is_refused()
    {
        Write("texts/notes.txt");
        Assert.Contains("neither a file nor a folder", Refusal("nothing"), StringComparison.Ordinal);
        Assert.Contains("no images (*.jpg", Refusal("texts"), StringComparison.Ordinal);
    }

    [Fact]
    public void Two_files_that_would_have_one_name_are_refused()
    {
        Write("a/1.jpg", "b/1.jpg");
        Assert.Contains("would both be 1.jpg", Refusal("a/1.jpg", "b/1.jpg"), StringComparison.Ordinal);
    }

    private void Write(params string[] files)
    {
        foreach (var file in files)
        {
            var path = Path.Combine(_folder.FullName, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, "content");
        }
    }

    private IEnumerable<string> Names(string prefix, params string[] paths) =>
        ImageFile.Find(paths.Select(path => Path.Combine(_folder.FullName, path)), prefix).Select(file => file.Name);

    private string Refusal(params string[] paths) =>
        Assert.Throws<InvalidOperationException>(() => Names("", paths)).Message;
}
