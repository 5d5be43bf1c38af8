using System.Text.Json.Nodes;
using Azure.Storage.Blobs;
using FunctionsPipeline.Shared;
using Microsoft.Azure.Functions.Worker.Core.FunctionMetadata;
using Microsoft.Extensions.Configuration;

namespace FunctionsPipeline.FunctionApp.Storage;

/// <summary>
/// Removes the source <c>EventGrid</c> from the metadata of blob triggers when the pipeline's account is the emulator, which sends no
/// events: the host then scans the container. In Azure the source stays, because a Flex Consumption plan supports no other.
/// </summary>
internal sealed class EmulatorBlobTriggers(IConfiguration configuration) : IFunctionMetadataTransformer
{
    public string Name => nameof(EmulatorBlobTriggers);

    public void Transform(IList<IFunctionMetadata> original)
    {
        if (!IsEmulator()) return;
        foreach (var bindings in original.Select(function => function.RawBindings).OfType<IList<string>>())
        {
            for (var i = 0; i < bindings.Count; i++)
            {
                var binding = JsonNode.Parse(bindings[i])!.AsObject();
                // Without a source the extension takes BlobTriggerSource's default, LogsAndContainerScan.
                if ((string?)binding["type"] == "blobTrigger"
                    && (string?)binding["connection"] == PipelineStorage.Connection
                    && binding.Remove("source"))
                {
                    bindings[i] = binding.ToJsonString();
                }
            }
        }
    }

    private bool IsEmulator()
    {
        try
        {
            return PipelineStorage.Client(configuration, new BlobClientOptions()).Uri.IsLoopback;
        }
        catch (FormatException)
        {
            // No connection string. The app starts all the same, and its health endpoint reports the mistake.
            return false;
        }
    }
}
