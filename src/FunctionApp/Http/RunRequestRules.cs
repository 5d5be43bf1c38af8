using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Validates a run request as far as that is possible without asking the Hub.</summary>
internal static partial class RunRequestRules
{
    /// <summary>Lists all mistakes in a request, in the order of its members; empty when the request is valid.</summary>
    public static IReadOnlyList<FieldError> Check(RunRequest request)
    {
        var errors = new FieldErrors();
        if (request.Run is not null && !RunId().IsMatch(request.Run))
            errors.Add("run", "must be 1 to 40 lower-case letters, digits and dashes");
        DatasetRules.Check(request.Dataset, "dataset.", errors);
        DatasetRules.CheckRepo("baseModel.", request.BaseModel.Repo, request.BaseModel.Revision, errors);
        TrainingRules.Check(request.Training, errors);
        return errors.All;
    }

    [GeneratedRegex(@"\A[a-z0-9-]{1,40}\z")]
    private static partial Regex RunId();
}
