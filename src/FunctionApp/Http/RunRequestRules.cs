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
        TrainingRules.Check(request.Training, errors);
        return errors.All;
    }

    private static void Check(DatasetRequest dataset, FieldErrors errors)
    {
        CheckRepo("dataset", dataset.Repo, dataset.Revision, errors);
        if (dataset.Config is not null) errors.Text("dataset.config", dataset.Config);
        if (dataset.Columns is { } columns) Check(columns, errors);
        errors.AtLeast("dataset.maxRows", dataset.MaxRows, 1);
        errors.Between("dataset.validationFraction", dataset.ValidationFraction, above: 0, below: 1);
        if (!(dataset.TestFraction >= 0 && dataset.TestFraction < 1)) errors.Add("dataset.testFraction", "must be from 0 to below 1");
        else if (dataset.ValidationFraction is > 0 and < 1 && dataset.ValidationFraction + dataset.TestFraction >= 1)
            errors.Add("dataset.testFraction", "and validationFraction must add up to less than 1: nothing would be left to train on");
    }

    private static void Check(ColumnMapping columns, FieldErrors errors)
    {
        errors.Text("dataset.columns.image", columns.Image);
        if (columns.Title is not null) errors.Text("dataset.columns.title", columns.Title);
        if (columns.Category is not null) errors.Text("dataset.columns.category", columns.Category);
        if (columns.Price is not null) errors.Text("dataset.columns.price", columns.Price);
        if (columns.Product is not null) errors.Text("dataset.columns.product", columns.Product);
        if (columns is { Title: null, Category: null, Price: null })
            errors.Add("dataset.columns", "must name at least one of title, category and price: it is what the model learns to say");
    }

    private static void CheckRepo(string field, string repo, string revision, FieldErrors errors)
    {
        if (!RepoId().IsMatch(repo)) errors.Add($"{field}.repo", "must be the id of a repository on the Hub, owner/name");
        errors.Text($"{field}.revision", revision);
    }

    [GeneratedRegex(@"\A[a-z0-9-]{1,40}\z")]
    private static partial Regex RunId();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}\z")]
    private static partial Regex RepoId();
}
