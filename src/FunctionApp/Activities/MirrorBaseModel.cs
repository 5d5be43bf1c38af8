using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Activities;

/// <summary>Copies a base checkpoint from the Hub into storage, once per commit.</summary>
public sealed class MirrorBaseModel(ModelMirror mirror)
{
    /// <returns>The checkpoint's folder in container <see cref="Containers.Models"/>.</returns>
    [Function(nameof(MirrorBaseModel))]
    public Task<string> RunAsync([ActivityTrigger] BaseModelRequest model, CancellationToken cancellationToken) =>
        HubFailures.MarkPermanentAsync(() => mirror.MirrorAsync(model.Repo, model.Revision, null, cancellationToken));
}
