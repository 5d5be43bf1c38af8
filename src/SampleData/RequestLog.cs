using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;

namespace FunctionsPipeline.SampleData;

/// <summary>A request that a hub answered.</summary>
/// <param name="Bytes">Content-Length of the response; 0 when it has none.</param>
public sealed record ServedRequest(string Path, int Status, long Bytes);

/// <summary>Records the requests that a hub answered.</summary>
internal sealed class RequestLog
{
    private readonly ConcurrentQueue<ServedRequest> _requests = new();

    public IReadOnlyCollection<ServedRequest> Requests => _requests;

    public void Map(IApplicationBuilder application) => application.Use(async (context, next) =>
    {
        try
        {
            await next(context);
        }
        finally
        {
            _requests.Enqueue(new ServedRequest(context.Request.Path, context.Response.StatusCode, context.Response.ContentLength ?? 0));
        }
    });
}
