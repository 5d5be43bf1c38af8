using System.Buffers.Binary;
using System.Text;
using FunctionsPipeline.Phi3Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Tests.Phi3Vision;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("safetensors-").FullName;
    private readonly DisposeScope _scope = NewDisposeScope();

    private string FilePath => Path.Combine(_folder, "x.safetensors");

    public void Dispose()
    {
        _scope.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Every_type_comes_back_with_its_bits()
    {
        var values = torch.arange(0, 12, dtype: ScalarType.Float32).view(3, 4) / 7;
        var written = new (string, Tensor)[]
        {
            ("float", values),
            ("half", values.to(ScalarType.Float16)),
            ("brain", values.to(ScalarType.BFloat16)),
            ("integers", torch.tensor(new long[] { long.MinValue, -1, long.MaxValue })),
            ("transposed", values.transpose(0, 1)),
            ("scalar", torch.full([], 3.5, dtype: ScalarType.Float32)),
            ("empty", torch.zeros([0, 4], dtype: ScalarType.Float32)),
        };
        SafetensorsFile.Write(FilePath, written, new Dictionary<string, string> { ["note"] = "kept" });
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Equal("kept", file.Metadata["note"]);
        Assert.Equal(written.Select(pair => pair.Item1), file.Entries.Select(entry => entry.Name));
        foreach (var (name, tensor) in written)
        {
            var read = file.Read(name);
            Assert.Equal((tensor.dtype, string.Join(",", tensor.shape)), (read.dtype, string.Join(",", read.shape)));
            Assert.Equal(tensor.contiguous().bytes.ToArray(), read.bytes.ToArray());
        }
        Assert.Throws<KeyNotFoundException>(() => file.Read("absent"));
    }

    [Fact]
    public void A_tensor_of_another_type_is_not_written() =>
        Assert.Throws<ArgumentException>(() => SafetensorsFile.Write(FilePath, [("bool", torch.ones(2, dtype: ScalarType.Bool))]));

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "needs 12 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}""", 8, "verflow")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "negative")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "negative")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, "end at byte")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 12, "end at byte")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "gap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "overlaps")]
    [InlineData("""{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}""", 8, "F64")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "not a usable")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "not a usable")]
    [InlineData("""[1, 2]""", 0, "not a usable")]
    [InlineData("""{"a":""", 0, "not a usable")]
    public void A_header_that_lies_is_refused(string header, int dataBytes, string? because)
    {
        var json = Encoding.UTF8.GetBytes(header);
        WriteRaw((ulong)json.Length, [.. json, .. new byte[dataBytes]]);
        if (because is null) SafetensorsFile.Open(FilePath).Dispose();
        else Assert.Contains(because, Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(FilePath)).Message);
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1000UL)]
    [InlineData(99_999_999UL)]
    public void A_header_longer_than_the_file_is_refused_before_memory_is_allocated(ulong length)
    {
        WriteRaw(length, new byte[100]);
        Assert.Contains("claims", Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(FilePath)).Message);
    }

    [Fact]
    public void A_file_shorter_than_a_header_is_refused()
    {
        File.WriteAllBytes(FilePath, [1, 2, 3]);
        Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(FilePath));
    }

    private void WriteRaw(ulong length, byte[] rest)
    {
        var prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, length);
        File.WriteAllBytes(FilePath, [.. prefix, .. rest]);
    }
}
