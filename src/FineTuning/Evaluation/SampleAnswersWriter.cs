using System.Text.Json;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Answers;
using FunctionsPipeline.FineTuning.Data;
using FunctionsPipeline.FineTuning.Tracking;
using FunctionsPipeline.Images;

namespace FunctionsPipeline.FineTuning.Evaluation;

/// <summary>
/// Writes the model's answers to a few validation samples after each validation, for inspection: <see cref="SampleGallery"/> and its
/// images.
/// </summary>
internal sealed class SampleAnswersWriter : IRunDocument
{
    private readonly IRunStore _store;
    private readonly string _folder;
    private readonly IReadOnlyList<(string Image, byte[] Content, string Truth)> _entries;
    private readonly Queue<(string Name, byte[] Content)> _images;
    private readonly Lock _lock = new();
    private readonly SortedDictionary<int, IReadOnlyList<GalleryAnswer>> _answers = [];
    private bool _changed;

    /// <param name="samples">Samples that the model answers.</param>
    /// <param name="shards">Cache of the shards that hold the samples' images.</param>
    /// <param name="template">Template that the truth is written with.</param>
    public SampleAnswersWriter(IRunStore store, string run, IReadOnlyList<Sample> samples, ShardCache shards, AnswerTemplate template)
    {
        _store = store;
        _folder = new RunBlobs(run).Samples;
        Samples = samples;
        // Read now: the shard cache may have removed the shards by the time the images are written.
        var images = samples.Select(sample => (sample.Labels.Key, Content: shards.ReadImage(sample, CancellationToken.None))).ToList();
        _images = new([.. images.Select(image => ($"{image.Key}.{ImageReader.Identify(image.Content).Extension}", image.Content))]);
        _entries = [.. samples.Zip(_images, (sample, image) => (image.Name, image.Content, template.Write(sample.Answer)))];
    }

    /// <summary>Samples that <see cref="Record"/> expects answers to, in this order.</summary>
    public IReadOnlyList<Sample> Samples { get; }

    /// <summary>Restores the answers of an earlier attempt of the run, up to the checkpoint that the run resumes from.</summary>
    /// <param name="step">Step of the checkpoint; answers of later steps are dropped.</param>
    public async Task RestoreAsync(int step, CancellationToken cancellationToken)
    {
        if (await _store.ReadAsync(Containers.Runs, _folder + SampleGallery.FileName, cancellationToken) is not { } json) return;
        var known = JsonSerializer.Deserialize<SampleGallery>(json, PipelineJson.Options)!.Samples
            .ToDictionary(sample => Path.GetFileNameWithoutExtension(sample.Image), StringComparer.Ordinal);
        var steps = known.Values.SelectMany(sample => sample.Answers).Select(answer => answer.Step).Where(s => s <= step).Distinct();
        lock (_lock)
        {
            foreach (var earlier in steps)
            {
                _answers[earlier] = [.. Samples.Select(sample => known.GetValueOrDefault(sample.Labels.Key)?.Answers
                    .FirstOrDefault(answer => answer.Step == earlier) ?? new GalleryAnswer(earlier, ""))];
            }
            _changed = true;
        }
    }

    /// <summary>Records the model's answers after a step, in the order of <see cref="Samples"/>.</summary>
    /// <returns>The gallery after the step.</returns>
    public GalleryStep Record(int step, IReadOnlyList<PredictedAnswer> answers)
    {
        lock (_lock)
        {
            _answers[step] = [.. answers.Select(answer => new GalleryAnswer(step, answer.Text, answer.Confidence))];
            _changed = true;
        }
        return new GalleryStep(step, [.. _entries.Zip(answers, (entry, answer) =>
            new GalleryEntry(entry.Image, entry.Content, entry.Truth, answer.Text, answer.Confidence))]);
    }

    /// <inheritdoc/>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        List<IReadOnlyList<GalleryAnswer>> answers;
        lock (_lock)
        {
            if (!_changed) return;
            answers = [.. _answers.Values];
            _changed = false;
        }
        try
        {
            // Images before the document that names them. Taken off the queue once written: the next beat repeats a failed write.
            while (_images.TryPeek(out var image))
            {
                await _store.WriteAsync(Containers.Runs, _folder + image.Name, image.Content, cancellationToken);
                _images.Dequeue();
            }
            var document = new SampleGallery([.. _entries.Select((entry, i) => new GallerySample(
                entry.Image, entry.Truth, [.. answers.Select(step => step[i])]))]);
            var json = JsonSerializer.SerializeToUtf8Bytes(document, PipelineJson.Options);
            await _store.WriteAsync(Containers.Runs, _folder + SampleGallery.FileName, json, cancellationToken);
        }
        catch
        {
            lock (_lock) _changed = true;
            throw;
        }
    }
}
