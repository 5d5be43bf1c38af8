using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;

namespace FunctionsPipeline.FunctionApp.Gpu;

/// <summary>Client of one Container Apps job in Azure Resource Manager, Microsoft.App 2026-07-01.</summary>
internal sealed class ContainerAppsClient
{
    public const string ApiVersion = "2026-07-01";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private readonly Uri _endpoint;
    private readonly string _job;
    private readonly HttpPipeline _pipeline;
    private readonly HttpPipeline _once;

    /// <param name="endpoint">Azure Resource Manager, such as <c>https://management.azure.com</c>.</param>
    /// <param name="job">Resource id of the job.</param>
    /// <param name="options">Makes the options of an HTTP pipeline; called for each.</param>
    public ContainerAppsClient(Uri endpoint, string job, TokenCredential credential, Func<ArmOptions> options)
    {
        _endpoint = endpoint;
        _job = job.TrimEnd('/');
        _pipeline = Build(options());
        // Azure.Core repeats a POST whose answer is lost, which would start a second execution.
        var once = options();
        once.Retry.MaxRetries = 0;
        _once = Build(once);

        HttpPipeline Build(ArmOptions made) =>
            HttpPipelineBuilder.Build(made, new BearerTokenAuthenticationPolicy(credential, new Uri(endpoint, ".default").ToString()));
    }

    public async Task<ContainerAppsJob> GetJobAsync(CancellationToken cancellationToken)
    {
        using var response = await SendAsync(_pipeline, RequestMethod.Get, Url(""), null, cancellationToken);
        return Read<ContainerAppsJob>(response);
    }

    /// <summary>Lists the executions that Container Apps still knows.</summary>
    public async IAsyncEnumerable<JobExecution> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var url = Url("/executions"); url is not null;)
        {
            using var response = await SendAsync(_pipeline, RequestMethod.Get, url, null, cancellationToken);
            var page = Read<ExecutionPage>(response);
            foreach (var execution in page.Value) yield return execution;
            url = string.IsNullOrEmpty(page.NextLink) ? null : new Uri(_endpoint, page.NextLink);
            // The token goes along: a link to another host would give it away.
            if (url is not null && url.Host != _endpoint.Host) throw new InvalidDataException($"A list of executions continues at {url}.");
        }
    }

    /// <summary>Reads an execution; null when Container Apps does not know it.</summary>
    public async Task<JobExecution?> GetExecutionAsync(string execution, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await SendAsync(_pipeline, RequestMethod.Get, Url($"/executions/{execution}"), null, cancellationToken);
            return Read<JobExecution>(response);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            return null;
        }
    }

    /// <summary>
    /// Starts an execution. The request is sent once: after a failure that leaves the outcome open, list before another try.
    /// </summary>
    /// <returns>Name of the execution; null when the start was accepted without one.</returns>
    public async Task<string?> StartAsync(ExecutionTemplate template, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(_once, RequestMethod.Post, Url("/start"), template, cancellationToken);
        // The operation behind a 202 may never settle, so that nobody waits for it.
        return response.Status == 200 ? Read<StartedExecution>(response).Name : null;
    }

    /// <summary>Stops an execution. Does nothing when it has ended or is not known.</summary>
    public async Task StopAsync(string execution, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await SendAsync(
                _pipeline, RequestMethod.Post, Url($"/executions/{execution}/stop"), null, cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status == 404)
        {
            // It has ended and been cleaned up.
        }
    }

    private Uri Url(string path) => new(_endpoint, $"{_job}{path}?api-version={ApiVersion}");

    private static async Task<Response> SendAsync(
        HttpPipeline pipeline, RequestMethod method, Uri url, object? body, CancellationToken cancellationToken)
    {
        using var request = pipeline.CreateRequest();
        request.Method = method;
        request.Uri.Reset(url);
        request.Headers.Add(HttpHeader.Common.JsonAccept);
        if (body is not null)
        {
            request.Headers.Add(HttpHeader.Common.JsonContentType);
            request.Content = RequestContent.Create(JsonSerializer.SerializeToUtf8Bytes(body, Json));
        }
        var response = await pipeline.SendRequestAsync(request, cancellationToken);
        if (response.Status is 200 or 202) return response;
        using (response) throw new RequestFailedException(response);
    }

    private static T Read<T>(Response response) =>
        JsonSerializer.Deserialize<T>(response.Content, Json) ?? throw new InvalidDataException("Azure answered null.");

    private sealed record ExecutionPage(IReadOnlyList<JobExecution> Value, string? NextLink = null);

    private sealed record StartedExecution(string? Name);
}

/// <summary>Options of the HTTP pipeline to Azure Resource Manager.</summary>
internal sealed class ArmOptions : ClientOptions;

/// <summary>The members of a Container Apps job that a start needs.</summary>
internal sealed record ContainerAppsJob(JobProperties Properties);

internal sealed record JobProperties(ExecutionTemplate? Template);

/// <summary>
/// Containers of an execution, as a start takes them: a container of the job has more members, such as probes and volumes, which a start
/// cannot name.
/// </summary>
internal sealed record ExecutionTemplate(
    IReadOnlyList<ExecutionContainer>? Containers = null, IReadOnlyList<ExecutionContainer>? InitContainers = null);

internal sealed record ExecutionContainer
{
    public string? Image { get; init; }

    public string? Name { get; init; }

    public IReadOnlyList<string>? Command { get; init; }

    public IReadOnlyList<string>? Args { get; init; }

    public IReadOnlyList<EnvironmentVariable>? Env { get; init; }

    public ContainerResources? Resources { get; init; }
}

/// <param name="SecretRef">Name of the job's secret that holds the value.</param>
internal sealed record EnvironmentVariable(string Name, string? Value = null, string? SecretRef = null);

/// <param name="Cpu">Number of cores.</param>
/// <param name="Memory">Memory, such as <c>220Gi</c>.</param>
internal sealed record ContainerResources(double? Cpu, string? Memory);

internal sealed record JobExecution(string Name, ExecutionProperties Properties);

/// <param name="Status">Running, Processing, Stopped, Degraded, Failed, Unknown or Succeeded; others may come.</param>
/// <param name="Reason">Reason of the status, such as <c>DeadlineExceeded</c>.</param>
internal sealed record ExecutionProperties(
    string? Status, DateTimeOffset? StartTime = null, ExecutionTemplate? Template = null, ExecutionDetail? DetailedStatus = null,
    string? Reason = null, string? Message = null);

internal sealed record ExecutionDetail(IReadOnlyList<ReplicaStatus>? Replicas = null);

internal sealed record ReplicaStatus(IReadOnlyList<ContainerStatus>? Containers = null);

/// <param name="Code">Exit code.</param>
internal sealed record ContainerStatus(string? Name = null, int? Code = null, string? Status = null, string? AdditionalInformation = null);
