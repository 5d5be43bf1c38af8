using System.Buffers.Binary;
using System.Text;
using FunctionsPipeline.Phi3Vision.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FunctionsPipeline.Phi3Vision.Tests.Weights;

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
    [InlineData(
        """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""",
        12, "overlaps")]
    [InlineData(
        """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""",
        12, "gap")]
    [InlineData(
        """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""",
        8, "overlaps")]
    [InlineData(
        """{"a":{"dtype":"F32","shape":[2],"data_offsets":[9223372036854775800,9223372036854775807]}}""",
        8, "needs 8 bytes")]
    [InlineData("""{"a":{"dtype":"U8","shape":[7],"data_offsets":[9223372036854775800,9223372036854775807]}}""", 8, "verflow")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,8]}}""", 8, "verflow")]
    [InlineData("""{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}""", 8, "not a usable")]
    [InlineData("""{"a":{"dtype":"F32","shape":[0,9223372036854775807,2],"data_offsets":[0,0]}}""", 0, "verflow")]
    [InlineData(
        """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""",
        8, "not a usable")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "not a usable")]
    [InlineData("""{"a":{"dtype":"\ud800","shape":[1],"data_offsets":[0,4]}}""", 4, "not a usable")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}}""", 8, "not a usable")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}}""", 8, "10 dimensions")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}""", 8, "3 data_offsets")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}""", 8, "negative")]
    [InlineData("""{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", 8, "not a usable")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}}""", 8, "not a usable")]
    [InlineData("""{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,8]}}""", 8, "unknown type 'F4'")]
    [InlineData("""{"a":{"dtype":8,"shape":[2],"data_offsets":[0,8]}}""", 8, "not a usable")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "not a usable")]
    [InlineData("""{"__metadata__":{},"__metadata__":{}}""", 0, "not a usable")]
    [InlineData(""" {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "not a JSON object")]
    [InlineData("null", 0, "not a JSON object")]
    [InlineData("", 0, "not a JSON object")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "not a usable")]
    [InlineData(
        """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""",
        4, "not a usable")]
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
    [InlineData(24_999_999UL)]
    public void A_header_longer_than_the_file_is_refused_before_memory_is_allocated(ulong length)
    {
        WriteRaw(length, new byte[100]);
        Assert.Contains("claims", Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(FilePath)).Message);
    }

    [Fact]
    public void A_header_over_25_MB_is_refused_before_memory_is_allocated_also_when_it_is_there()
    {
        WriteRaw(25_000_001, []);
        using (var stream = File.OpenWrite(FilePath)) stream.SetLength(30_000_000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(FilePath));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
        Assert.Contains("a header at most 25000000", error.Message);
    }

    [Fact]
    public void A_damaged_file_is_refused_or_read_but_nothing_else()
    {
        SafetensorsFile.Write(
            FilePath, [("a", torch.ones(2, 3)), ("b", torch.ones(4, dtype: ScalarType.BFloat16)), ("c", torch.zeros([0, 2]))]);
        var whole = File.ReadAllBytes(FilePath);
        var random = new Random(5);
        var refused = 0;
        for (var round = 0; round < 3000; round++)
        {
            var damaged = whole[..(round % 5 == 0 ? random.Next(whole.Length) : whole.Length)];
            for (var change = random.Next(4); change >= 0 && damaged.Length > 0; change--)
                damaged[random.Next(damaged.Length)] = (byte)(random.Next(3) == 0 ? random.Next(256) : whole[random.Next(8, whole.Length)]);
            File.WriteAllBytes(FilePath, damaged);
            try
            {
                using var scope = NewDisposeScope();
                using var file = SafetensorsFile.Open(FilePath);
                foreach (var entry in file.Entries) file.Read(entry.Name);
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 1000, 3000);
    }

    [Fact]
    public void A_file_cut_off_is_refused()
    {
        SafetensorsFile.Write(FilePath, [("a", torch.ones(1000))]);
        using (var stream = File.OpenWrite(FilePath)) stream.SetLength(stream.Length - 1);
        Assert.Contains("but the file at byte", Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(FilePath)).Message);
    }

    [Fact]
    public void A_type_of_the_format_that_is_not_read_is_named_when_it_is_asked_for()
    {
        var json = """{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"""u8.ToArray();
        WriteRaw((ulong)json.Length, [.. json, .. new byte[8]]);
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Contains("F64", Assert.Throws<InvalidDataException>(() => file.Read("a")).Message);
    }

    [Theory]
    [InlineData(ScalarType.Float32, ScalarType.Float32)]
    [InlineData(ScalarType.Float32, ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16, ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16, ScalarType.BFloat16)]
    [InlineData(ScalarType.BFloat16, ScalarType.Float16)]
    public void A_tensor_longer_than_a_window_is_copied_into_one_of_any_type(ScalarType stored, ScalarType wanted)
    {
        var values = (torch.arange(0, 9_000_001, dtype: ScalarType.Float32).remainder(1021) / 7).to(stored);
        SafetensorsFile.Write(FilePath, [("first", torch.ones(3)), ("a", values)]);
        using var file = SafetensorsFile.Open(FilePath);
        var target = torch.zeros(9_000_001, dtype: wanted);
        file.CopyTo("a", target);
        Assert.True(target.eq(values.to(wanted)).all().item<bool>());
        Assert.Throws<ArgumentException>(() => file.CopyTo("a", torch.zeros(4)));
        Assert.Throws<ArgumentException>(() => file.CopyTo("a", torch.zeros(1, 2).expand(9_000_001, 2).narrow(1, 0, 1)));
    }

    [Fact]
    public void A_write_that_fails_leaves_what_was_there()
    {
        SafetensorsFile.Write(FilePath, [("a", torch.ones(2))]);
        Assert.Throws<IOException>(() =>
            SafetensorsWriter.Write(FilePath, [("b", "F32", [2])], null, (_, _) => throw new IOException("full")));
        Assert.Throws<InvalidOperationException>(() =>
            SafetensorsWriter.Write(FilePath, [("b", "F32", [2])], null, (stream, _) => stream.Write([1])));
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Equal("a", Assert.Single(file.Entries).Name);
        Assert.Equal([FilePath], Directory.GetFiles(_folder));
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
