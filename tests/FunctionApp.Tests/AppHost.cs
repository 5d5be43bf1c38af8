using FunctionsPipeline.LocalHost;
using FunctionsPipeline.LocalHost.Processes;
using FunctionsPipeline.SampleData;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.Tests.FunctionApp;

/// <summary>Starts the app's own worker process in the local host, on a free port and with no log.</summary>
internal static class AppHost
{
    /// <param name="home">Home folder of the worker, where it writes keys.</param>
    /// <param name="storage">Connection string of the account of both the host and the pipeline.</param>
    /// <param name="hub">Hub of the datasets and base models.</param>
    /// <param name="changes">Settings that replace the usual ones or come on top.</param>
    public static Task<FunctionsHost> StartAsync(
        string home, string storage, SampleHub hub, IEnumerable<KeyValuePair<string, string?>> changes)
    {
        var settings = new Dictionary<string, string?>
        {
            ["HOME"] = home,
            ["AzureWebJobsStorage"] = storage,
            ["PipelineStorage"] = storage,
            ["HF_ENDPOINT"] = hub.Address.ToString(),
            ["Ingestion__AllowedHosts__0"] = hub.Address.Authority,
            ["Worker__Url"] = "http://127.0.0.1:9",
        };
        foreach (var (name, value) in changes) settings[name] = value;
        return FunctionsHost.StartAsync(new FunctionsHostOptions
        {
            AppFolder = Applications.FunctionApp,
            Port = 0,
            Settings = settings,
            ConfigureLogging = logging => logging.SetMinimumLevel(LogLevel.None),
        });
    }
}
