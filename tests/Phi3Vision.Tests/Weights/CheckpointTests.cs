using System.Text.Json.Nodes;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Weights;

/// <summary>A folder with a in one.safetensors and b in two.safetensors, and indexes that do not say so.</summary>
public sealed class CheckpointTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("index-").FullName;
    private readonly DisposeScope _scope = NewDisposeScope();

    public CheckpointTests()
    {
        SafetensorsFile.Write(Path.Combine(_folder, "one.safetensors"), [("a", torch.ones(1))]);
        SafetensorsFile.Write(Path.Combine(_folder, "two.safetensors"), [("b", torch.ones(2))]);
        SafetensorsFile.Write(Path.Combine(_folder, "again.safetensors"), [("b", torch.ones(2)), ("c", torch.ones(2))]);
    }

    public void Dispose()
    {
        _scope.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void An_index_that_is_right_is_read()
    {
        WriteIndex(("a", "one.safetensors"), ("b", "two.safetensors"));
        using var checkpoint = Checkpoint.Open(_folder);
        Assert.Equal(["a", "b"], checkpoint.Entries.Select(entry => entry.Name));
    }

    [Theory]
    [InlineData("../one.safetensors")]
    [InlineData("/etc/one.safetensors")]
    [InlineData("sub/one.safetensors")]
    [InlineData("sub\\one.safetensors")]
    [InlineData("one\0.safetensors")]
    [InlineData("config.json")]
    [InlineData("..")]
    [InlineData("")]
    public void A_file_that_cannot_be_in_the_folder_is_refused(string file) =>
        Refused("no .safetensors file in its folder", ("a", "one.safetensors"), ("b", file));

    [Fact]
    public void Every_missing_file_is_named() =>
        Refused("gone.safetensors, lost.safetensors", ("a", "one.safetensors"), ("b", "lost.safetensors"), ("c", "gone.safetensors"));

    [Fact]
    public void A_tensor_in_the_wrong_file_is_refused_and_every_one_is_listed()
    {
        Refused("a: is not in two.safetensors", ("a", "two.safetensors"), ("b", "one.safetensors"));
        Refused("b: is not in one.safetensors", ("a", "two.safetensors"), ("b", "one.safetensors"));
        Refused("nowhere: is not in one.safetensors", ("a", "one.safetensors"), ("nowhere", "one.safetensors"), ("b", "two.safetensors"));
    }

    [Fact]
    public void A_tensor_that_the_index_does_not_name_is_refused() =>
        Refused("b: is in a file, but not in the index", ("a", "one.safetensors"), ("c", "again.safetensors"));

    [Fact]
    public void A_tensor_in_two_files_is_refused() =>
        Refused("what another file holds too: b", ("b", "two.safetensors"), ("c", "again.safetensors"));

    [Theory]
    [InlineData("""{"weight_map": {}}""", "empty")]
    [InlineData("""{"weight_map": {"a": "one.safetensors", "a": "two.safetensors"}}""", "not a usable index")]
    [InlineData("""{"weight_map": {"a": "one.safetensors", "\u0061": "two.safetensors"}}""", "not a usable index")]
    [InlineData("""{"weight_map": {"\ud800": "one.safetensors"}}""", "not a usable index")]
    [InlineData("""{"weight_map": {"a": "\ud800.safetensors"}}""", "not a usable index")]
    [InlineData("""{"weight_map": {"a": 1}}""", "not a usable index")]
    [InlineData("""{"weight_map": ["one.safetensors"]}""", "not a usable index")]
    [InlineData("""{"metadata": {}}""", "not a usable index")]
    [InlineData("[]", "not a usable index")]
    [InlineData("{", "not a usable index")]
    public void An_index_that_makes_no_sense_is_refused(string json, string because)
    {
        File.WriteAllText(Path.Combine(_folder, CheckpointIndex.FileName), json);
        Assert.Contains(because, Assert.Throws<InvalidDataException>(() => Checkpoint.Open(_folder)).Message);
    }

    [Fact]
    public void An_index_over_25_MB_is_refused_before_it_is_read()
    {
        using (var stream = File.Create(Path.Combine(_folder, CheckpointIndex.FileName))) stream.SetLength(25_000_001);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("at most 25000000", Assert.Throws<InvalidDataException>(() => Checkpoint.Open(_folder)).Message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }

    private void Refused(string because, params (string Tensor, string File)[] map)
    {
        WriteIndex(map);
        Assert.Contains(because, Assert.Throws<InvalidDataException>(() => Checkpoint.Open(_folder)).Message);
    }

    private void WriteIndex(params (string Tensor, string File)[] map)
    {
        var index = new JsonObject(map.Select(pair => KeyValuePair.Create(pair.Tensor, (JsonNode?)pair.File)));
        File.WriteAllText(Path.Combine(_folder, CheckpointIndex.FileName), new JsonObject { ["weight_map"] = index }.ToJsonString());
    }
}
