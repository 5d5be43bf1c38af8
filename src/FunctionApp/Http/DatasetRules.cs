using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Validates a dataset request as far as that is possible without asking the Hub.</summary>
internal static partial class DatasetRules
{
    /// <param name="prefix">Prefix of the members' names in errors: <c>dataset.</c> in a run request.</param>
    public static void Check(DatasetRequest dataset, string prefix, FieldErrors errors)
    {
        CheckRepo(prefix, dataset.Repo, dataset.Revision, errors);
        if (dataset.Config is not null) errors.Text($"{prefix}config", dataset.Config);
        if (dataset.Columns is { } columns) Check(columns, $"{prefix}columns", errors);
        errors.AtLeast($"{prefix}maxRows", dataset.MaxRows, 1);
        errors.Between($"{prefix}validationFraction", dataset.ValidationFraction, above: 0, below: 1);
        if (!(dataset.TestFraction >= 0 && dataset.TestFraction < 1)) errors.Add($"{prefix}testFraction", "must be from 0 to below 1");
        else if (dataset.ValidationFraction is > 0 and < 1 && dataset.ValidationFraction + dataset.TestFraction >= 1)
            errors.Add($"{prefix}testFraction", "and validationFraction must add up to less than 1: nothing would be left to train on");
    }

    /// <summary>Validates the id of a repository on the Hub and its revision.</summary>
    public static void CheckRepo(string prefix, string repo, string revision, FieldErrors errors)
    {
        if (!RepoId().IsMatch(repo)) errors.Add($"{prefix}repo", "must be the id of a repository on the Hub, owner/name");
        errors.Text($"{prefix}revision", revision);
    }

    private static void Check(ColumnMapping columns, string field, FieldErrors errors)
    {
        errors.Text($"{field}.image", columns.Image);
        if (columns.Title is not null) errors.Text($"{field}.title", columns.Title);
        if (columns.Category is not null) errors.Text($"{field}.category", columns.Category);
        if (columns.Price is not null) errors.Text($"{field}.price", columns.Price);
        if (columns.Product is not null) errors.Text($"{field}.product", columns.Product);
        if (columns is { Title: null, Category: null, Price: null })
            errors.Add(field, "must name at least one of title, category and price: it is what the model learns to say");
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}\z")]
    private static partial Regex RepoId();
}
