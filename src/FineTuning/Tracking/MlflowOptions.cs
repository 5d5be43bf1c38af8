using System.Net.Http.Headers;
using System.Text;
using Microsoft.Extensions.Logging;

namespace FunctionsPipeline.FineTuning.Tracking;

/// <summary>
/// Options of tracking, from MLflow's environment variables
/// (https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html).
/// </summary>
/// <param name="Server">URL of the tracking server, http or https.</param>
/// <param name="Experiment">Name of the experiment, which is created when there is none.</param>
/// <param name="RegisteredModel">Name of the registered model that the run's model becomes a version of.</param>
/// <param name="Authorization">Authorization header of every request; null for none.</param>
internal sealed record MlflowOptions(Uri Server, string Experiment, string RegisteredModel, AuthenticationHeaderValue? Authorization)
{
    private const string DefaultExperiment = "functions-pipeline";

    /// <summary>
    /// Reads the options; null when <c>MLFLOW_TRACKING_URI</c> is not set. A value that is not a server's URL gives null and a logged
    /// warning, since tracking must not keep a run from training.
    /// </summary>
    /// <param name="variable">Returns the value of an environment variable.</param>
    public static MlflowOptions? Read(Func<string, string?> variable, ILogger logger)
    {
        if (variable("MLFLOW_TRACKING_URI") is not { Length: > 0 } text) return null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var server) || server.Scheme is not ("http" or "https" or "azureml"))
        {
            logger.MlflowUnusable(text);
            return null;
        }
        // Azure Machine Learning serves MLflow's protocol at the same URL with the scheme https.
        if (server.Scheme == "azureml") server = new UriBuilder(server) { Scheme = Uri.UriSchemeHttps, Port = server.Port }.Uri;
        var experiment = variable("MLFLOW_EXPERIMENT_NAME") is { Length: > 0 } name ? name : DefaultExperiment;
        // MLflow has no variable for it; the name is that of the parameter of its log_model.
        var model = variable("MLFLOW_REGISTERED_MODEL_NAME") is { Length: > 0 } registered ? registered : experiment;
        return new MlflowOptions(server, experiment, model, Credentials(variable));
    }

    /// <summary>Returns the URL of a run's page; null for Azure Machine Learning, whose pages are elsewhere.</summary>
    public string? Page(string experiment, string id) => Server.Host.EndsWith(".api.azureml.ms", StringComparison.OrdinalIgnoreCase)
        ? null : $"{Server.AbsoluteUri.TrimEnd('/')}/#/experiments/{experiment}/runs/{id}";

    private static AuthenticationHeaderValue? Credentials(Func<string, string?> variable)
    {
        if (variable("MLFLOW_TRACKING_TOKEN") is { Length: > 0 } token) return new AuthenticationHeaderValue("Bearer", token);
        if (variable("MLFLOW_TRACKING_USERNAME") is not { Length: > 0 } user) return null;
        var pair = Encoding.UTF8.GetBytes($"{user}:{variable("MLFLOW_TRACKING_PASSWORD")}");
        return new AuthenticationHeaderValue("Basic", Convert.ToBase64String(pair));
    }
}
