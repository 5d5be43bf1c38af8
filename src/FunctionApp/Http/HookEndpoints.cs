using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Retraining;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Options;

namespace FunctionsPipeline.FunctionApp.Http;

/// <summary>Endpoint for webhooks of the Hugging Face Hub.</summary>
public sealed partial class HookEndpoints(Retrainer retrainer, IOptions<PipelineOptions> options)
{
    /// <summary>Header with the secret of the webhook.</summary>
    public const string SecretHeader = "X-Webhook-Secret";

    private const string Wanted = "an event of a Hugging Face webhook, such as {\"event\": {…}, \"repo\": {…}, \"updatedRefs\": […]}";

    /// <summary><c>POST /api/hooks/huggingface</c>: starts the configured run when its dataset's branch has a new commit.</summary>
    /// <remarks>Without a function key: the Hub can send none in a header, and the secret says who calls.</remarks>
    [Function(nameof(HuggingFaceHook))]
    public async Task<IActionResult> HuggingFaceHook(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "hooks/huggingface")] HttpRequest request,
        [DurableClient] DurableTaskClient client,
        CancellationToken cancellationToken)
    {
        var retraining = options.Value.Retraining;
        if (retraining.WebhookSecret is not { Length: > 0 } secret)
            return Responses.Problem(StatusCodes.Status404NotFound, "No webhook is taken (setting Retraining:WebhookSecret).");
        if (!IsSame(request.Headers[SecretHeader].ToString(), secret))
            return Responses.Problem(StatusCodes.Status401Unauthorized, $"The header {SecretHeader} does not have the webhook's secret.");
        try
        {
            var happened = await RequestReader.ReadAsync<HubEvent>(request.Body, Wanted, cancellationToken);
            if (NewCommit(happened, retraining.ReadRequest().Dataset, out var reason) is not { } commit)
                return Responses.Json(new RetrainingDecision(RetrainingOutcome.Ignored, reason));
            var decision = await retrainer.PushedAsync(client, commit, cancellationToken);
            return Responses.Json(
                decision, decision.Outcome == RetrainingOutcome.Ignored ? StatusCodes.Status200OK : StatusCodes.Status202Accepted);
        }
        catch (RequestException e)
        {
            return Responses.Problem(e.Status, e.Message, e.Field);
        }
    }

    /// <summary>Returns the commit that an event brings to the branch of a dataset; null, with the reason, for all other events.</summary>
    private static string? NewCommit(HubEvent happened, DatasetRequest dataset, out string reason)
    {
        reason = "";
        var (kind, repo) = (happened.Event, happened.Repo);
        if (repo.Type != "dataset" || !repo.Name.Equals(dataset.Repo, StringComparison.OrdinalIgnoreCase))
            reason = $"the event is of the {repo.Type} {repo.Name}, not of the dataset {dataset.Repo}";
        // The Hub announces narrower scopes, which are to be taken for updates of the broader one.
        else if (kind.Scope != ContentScope && !kind.Scope.StartsWith($"{ContentScope}.", StringComparison.Ordinal)
            || kind is { Scope: ContentScope, Action: not "update" })
            reason = $"the event {kind.Action} of {kind.Scope} is no update of {ContentScope}";
        else if (happened.UpdatedRefs?.LastOrDefault(updated => updated.Ref == $"refs/heads/{dataset.Revision}") is not { } branch)
            reason = $"the branch {dataset.Revision} has no new commit";
        else if (branch.NewSha is not { } commit) reason = $"the branch {dataset.Revision} was deleted";
        else if (!Sha().IsMatch(commit))
            throw new RequestException("updatedRefs.newSha", 400, $"newSha is '{commit}', must be a commit's SHA.");
        else return commit;
        return null;
    }

    // Hashes have the same length, so that the time of the comparison tells nothing of the secret.
    private static bool IsSame(string given, string secret) => CryptographicOperations.FixedTimeEquals(
        SHA256.HashData(Encoding.UTF8.GetBytes(given)), SHA256.HashData(Encoding.UTF8.GetBytes(secret)));

    private const string ContentScope = "repo.content";

    // SHA-1, or the SHA-256 of newer repositories.
    [GeneratedRegex(@"\A(?:[0-9a-f]{40}|[0-9a-f]{64})\z")]
    private static partial Regex Sha();
}
