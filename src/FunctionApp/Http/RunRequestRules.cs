using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>What the values of a run request may be, as far as can be said without asking the Hub.</summary>
internal static partial class RunRequestRules
{
    /// <summary>Everything that is wrong with a request, in the order of its members; empty when it is fine.</summary>
    public static IReadOnlyList<FieldError> Check(RunRequest request)
    {
        var errors = new FieldErrors();
        if (request.Run is not null && !RunId().IsMatch(request.Run))
            errors.Add("run", "must be 1 to 40 lower-case letters, digits and dashes");
        Check(request.Dataset, errors);
        CheckRepo("baseModel", request.BaseModel.Repo, request.BaseModel.Revision, errors);
        Check(request.Training, errors);
        return errors.All;
    }

    private static void Check(DatasetRequest dataset, FieldErrors errors)
    {
        CheckRepo("dataset", dataset.Repo, dataset.Revision, errors);
        if (dataset.Config is not null) errors.Text("dataset.config", dataset.Config);
        var columns = dataset.Columns;
        errors.Text("dataset.columns.image", columns.Image);
        if (columns.Title is not null) errors.Text("dataset.columns.title", columns.Title);
        if (columns.Category is not null) errors.Text("dataset.columns.category", columns.Category);
        if (columns.Price is not null) errors.Text("dataset.columns.price", columns.Price);
        if (columns is { Title: null, Category: null, Price: null })
            errors.Add("dataset.columns", "must name at least one of title, category and price: it is what the model learns to say");
        errors.AtLeast("dataset.maxRows", dataset.MaxRows, 1);
        errors.Between("dataset.validationFraction", dataset.ValidationFraction, above: 0, below: 1);
    }

    private static void CheckRepo(string field, string repo, string revision, FieldErrors errors)
    {
        if (!RepoId().IsMatch(repo)) errors.Add($"{field}.repo", "must be the id of a repository on the Hub, owner/name");
        errors.Text($"{field}.revision", revision);
    }

    private static void Check(TrainingSettings training, FieldErrors errors)
    {
        errors.Above("training.epochs", training.Epochs, above: 0, to: 1000);
        errors.AtLeast("training.maxSteps", training.MaxSteps, 1);
        if (training.MaxMinutes is { } minutes) errors.Above("training.maxMinutes", minutes, above: 0, to: 60 * 24 * 30);
        errors.From("training.batchSize", training.BatchSize, 1, 1024);
        errors.Above("training.learningRate", training.LearningRate, above: 0, to: 1);
        errors.AtLeast("training.warmupSteps", training.WarmupSteps, 0);
        errors.From("training.weightDecay", training.WeightDecay, 0, 1);
        errors.Above("training.maxGradNorm", training.MaxGradNorm, above: 0, to: 1e6);
        errors.From("training.numCrops", training.NumCrops, 1, 16);
        errors.AtLeast("training.seed", training.Seed, 0);
        errors.AtLeast("training.evaluateEvery", training.EvaluateEvery, 1);
        errors.AtLeast("training.evaluationSamples", training.EvaluationSamples, 1);
        errors.From("training.maxAnswerTokens", training.MaxAnswerTokens, 1, 1024);
        errors.Text("training.question", training.Question, longest: 1000);
        // A marker of the chat format inside the question would end it, or ask for a second image.
        if (training.Question.Contains("<|", StringComparison.Ordinal)) errors.Add("training.question", "must not contain '<|'");
        if (training.Device is not (null or "cpu" or "cuda")) errors.Add("training.device", "must be cpu or cuda, or be left out");
    }

    [GeneratedRegex(@"\A[a-z0-9-]{1,40}\z")]
    private static partial Regex RunId();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}\z")]
    private static partial Regex RepoId();
}
