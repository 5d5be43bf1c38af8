using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Tracking;
using FunctionsPipeline.Phi3Vision;

namespace FunctionsPipeline.FineTuning.Tests.Tracking;

public sealed class MetricsFileTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("metrics-").FullName;
    private readonly LocalRunStore _store;

    public MetricsFileTests() => _store = new LocalRunStore(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData(2, new[] { 0, 1, 2, 2 })]
    [InlineData(9, new[] { 0, 1, 2, 2, 3 })]
    [InlineData(null, new int[0])]
    public async Task A_run_that_goes_on_from_a_step_finds_the_lines_up_to_it(int? step, int[] expected)
    {
        var file = new MetricsFile(_store, "r1");
        foreach (var at in new[] { 0, 1, 2, 2, 3 }) file.Record(Line(at));
        await file.FlushAsync(default);
        await _store.AppendAsync(Containers.Runs, "r1/metrics.jsonl", "{\"step\":1,\"ep"u8.ToArray(), default);

        await MetricsFile.CutAsync(_store, "r1", step, default);
        Assert.Equal(expected, await StepsAsync());
        file.Record(Line(4));
        await file.FlushAsync(default);
        Assert.Equal([.. expected, 4], await StepsAsync());
    }

    [Fact]
    public async Task A_run_without_metrics_has_nothing_to_cut()
    {
        await MetricsFile.CutAsync(_store, "r1", 3, default);
        Assert.Empty(await StepsAsync());
    }

    [Fact]
    public async Task Lines_that_could_not_be_written_are_written_the_next_time_in_their_order()
    {
        var file = new MetricsFile(_store, "r1");
        file.Record(Line(1));
        var obstacle = Path.Combine(_root, "runs");
        File.WriteAllText(obstacle, "in the way");
        await Assert.ThrowsAnyAsync<IOException>(() => file.FlushAsync(default));
        File.Delete(obstacle);
        file.Record(Line(2));
        await file.FlushAsync(default);
        Assert.Equal([1, 2], await StepsAsync());
    }

    private static MetricsLine Line(int step) => new() { Step = step, Epoch = 0, Seconds = 0 };

    private async Task<IEnumerable<int>> StepsAsync()
    {
        var content = await _store.ReadAsync(Containers.Runs, "r1/metrics.jsonl", default) ?? [];
        return Encoding.UTF8.GetString(content).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonSerializer.Deserialize<MetricsLine>(line, PipelineJson.Compact)!.Step);
    }
}

public sealed class TensorBoardLogTests : IDisposable
{
    private static readonly TrainingJob Job = new()
    {
        Run = "r1",
        BaseModel = "base",
        OutputModel = "out",
        Shards = [],
        Settings = new TrainingSettings { LearningRate = 0.002 },
    };

    private readonly string _root = Directory.CreateTempSubdirectory("tensorboard-test-").FullName;
    private readonly LocalRunStore _store;

    public TensorBoardLogTests() => _store = new LocalRunStore(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Scalars_and_settings_arrive_as_they_are_flushed_while_the_file_goes_on()
    {
        await using var log = new TensorBoardLog(_store, Job, TimeProvider.System);
        await log.FlushAsync(default);
        Assert.Empty(Files());

        log.Record(Line(1, 3.5));
        await log.FlushAsync(default);
        var events = Events();
        Assert.Equal("brain.Event:2", events[0].Text);
        Assert.Equal("settings/text_summary", events[1].Tag);
        Assert.Contains("| learningRate | 0.002 |", events[1].Text);
        Assert.Contains("| lora.rank | 16 |", events[1].Text);
        Assert.Equal(
            [("train/loss", 1, 3.5f), ("train/learning_rate", 1, 0.5f)],
            events.Skip(2).Select(e => (e.Tag!, (int)e.Step, e.Value!.Value)));
        Assert.All(events.Skip(1), e => Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - e.At, 0, 60));

        log.Record(Line(300, double.NaN) with
        {
            LearningRate = null,
            Validation = new EvaluationMetrics { Loss = 2, Samples = 4, TitleF1 = 0.25 },
        });
        var test = new EvaluationMetrics { Loss = 1, Samples = 4 };
        await log.EndAsync(new TrainingResult { Run = "r1", Succeeded = true, Steps = 301, Test = test }, default);
        await log.FlushAsync(default);
        Assert.Equal([("validation/loss", 300, 2), ("validation/title_f1", 300, 0.25f), ("test/loss", 301, 1)],
            Events().Skip(4).Select(e => (e.Tag!, (int)e.Step, e.Value!.Value)));
    }

    [Fact]
    public async Task What_could_not_be_stored_is_stored_the_next_time()
    {
        await using var log = new TensorBoardLog(_store, Job, TimeProvider.System);
        log.Record(Line(1, 1));
        var obstacle = Path.Combine(_root, "runs");
        File.WriteAllText(obstacle, "in the way");
        await Assert.ThrowsAnyAsync<IOException>(() => log.FlushAsync(default));
        File.Delete(obstacle);
        await log.FlushAsync(default);
        await log.FlushAsync(default);
        Assert.Equal(4, Events().Count);
    }

    [Fact]
    public async Task Each_attempt_has_a_file_and_the_next_one_cuts_those_before_to_its_checkpoint()
    {
        foreach (var first in new[] { 1, 2 })
        {
            await TensorBoardLog.CutAsync(_store, "r1", first - 1, default);
            await using var log = new TensorBoardLog(_store, Job, TimeProvider.System);
            foreach (var step in new[] { first, first + 1, first + 299 }) log.Record(Line(step, step));
            await log.FlushAsync(default);
        }
        Assert.Equal(2, Files().Count);
        var steps = Files().SelectMany(file => EventFile.Read(File.ReadAllBytes(file)))
            .Where(e => e.Tag == "train/loss").Select(e => e.Step);
        Assert.Equal([1, 2, 3, 301], steps.Order());

        await TensorBoardLog.CutAsync(_store, "r1", null, default);
        Assert.Empty(Files());
    }

    private static MetricsLine Line(int step, double loss) =>
        new() { Step = step, Epoch = 0, Seconds = 0, Loss = loss, LearningRate = 0.5 };

    private IReadOnlyList<EventFile.Event> Events() => EventFile.Read(File.ReadAllBytes(Files().Single()));

    private List<string> Files()
    {
        var folder = Path.Combine(_root, "runs/r1/tensorboard");
        return Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder)] : [];
    }
}

/// <summary>Reads TensorBoard event files and checks their sums, with nothing of the code that writes them.</summary>
internal static class EventFile
{
    /// <summary>An event: its tag is null in the first one of a file, whose text is then the format's version.</summary>
    public sealed record Event(double At, long Step, string? Tag, float? Value, string? Text);

    public static IReadOnlyList<Event> Read(ReadOnlySpan<byte> file)
    {
        var events = new List<Event>();
        while (file.Length > 0)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
            Assert.Equal(Sum(file[..8]), BinaryPrimitives.ReadUInt32LittleEndian(file[8..]));
            Assert.Equal(Sum(file.Slice(12, length)), BinaryPrimitives.ReadUInt32LittleEndian(file[(12 + length)..]));
            events.Add(Parse(file.Slice(12, length).ToArray()));
            file = file[(16 + length)..];
        }
        return events;
    }

    private static Event Parse(byte[] message)
    {
        var fields = Fields(message);
        var at = BitConverter.ToDouble(fields[1]);
        var step = fields.TryGetValue(2, out var digits) ? BitConverter.ToInt64(digits) : 0;
        if (fields.TryGetValue(3, out var version)) return new Event(at, step, null, null, Encoding.UTF8.GetString(version));
        var value = Fields(Fields(fields[5])[1]);
        var tag = Encoding.UTF8.GetString(value[1]);
        if (value.TryGetValue(2, out var number)) return new Event(at, step, tag, BitConverter.ToSingle(number), null);
        var tensor = Fields(value[8]);
        Assert.Equal("text", Encoding.UTF8.GetString(Fields(Fields(value[9])[1])[1]));
        Assert.Equal(7, BitConverter.ToInt64(tensor[1]));
        Assert.Equal(1, BitConverter.ToInt64(Fields(Fields(tensor[2])[2])[1]));
        return new Event(at, step, tag, null, Encoding.UTF8.GetString(tensor[8]));
    }

    private static Dictionary<int, byte[]> Fields(byte[] message)
    {
        var fields = new Dictionary<int, byte[]>();
        for (var at = 0; at < message.Length;)
        {
            var key = (int)Varint(message, ref at);
            var (start, size) = (at, 0);
            switch (key & 7)
            {
                case 0: fields[key >> 3] = BitConverter.GetBytes(Varint(message, ref at)); continue;
                case 1: size = 8; break;
                case 2: size = (int)Varint(message, ref at); start = at; break;
                case 5: size = 4; break;
                default: Assert.Fail($"wire type {key & 7}"); break;
            }
            fields[key >> 3] = message[start..(start + size)];
            at = start + size;
        }
        return fields;
    }

    private static long Varint(byte[] message, ref int at)
    {
        long value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var digit = message[at++];
            value |= (long)(digit & 0x7f) << shift;
            if (digit < 0x80) return value;
        }
    }

    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
        }
        return BitOperations.RotateRight(~crc, 15) + 0xa282ead8;
    }
}
