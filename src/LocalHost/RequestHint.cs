namespace FunctionsPipeline.LocalHost;

/// <summary>Requests of the API as commands for a shell, for people to try.</summary>
/// <param name="app">URL of the Functions app.</param>
/// <param name="hasKey">True when the app wants a function key, which the commands take from the variable <c>KEY</c>.</param>
internal sealed class RequestHint(Uri app, bool hasKey = false)
{
    private string Curl => $"curl -s{(hasKey ? " -H \"x-functions-key: $KEY\"" : "")} {app.AbsoluteUri.TrimEnd('/')}/api";

    /// <summary>Starts a run on the sample hub's base model, which a CPU can train.</summary>
    /// <param name="dataset">The dataset of the request, as JSON.</param>
    /// <param name="run">The run's id; the app makes one when left out.</param>
    public string Run(string dataset, string? run = null) => $$"""
          {{Curl}}/runs -H 'Content-Type: application/json' -d '{{{(run is null ? "" : $"\n    \"run\": \"{run}\",")}}
            "dataset": {{dataset}},
            "baseModel": { "repo": "{{Processes.LocalStack.BaseModel}}" },
            "training": { "epochs": 20, "batchSize": 8, "learningRate": 0.002, "numCrops": 1 } }'
        """;

    /// <summary>Reads something, or with <paramref name="options"/> does something.</summary>
    /// <param name="path">Path below <c>/api</c>.</param>
    public string Call(string path, string options = "") => $"  {Curl}/{path}{options}";
}
