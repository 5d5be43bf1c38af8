using Azure;
using FunctionsPipeline.FunctionApp.Http;
using Microsoft.AspNetCore.Mvc;

namespace FunctionsPipeline.FunctionApp.Tests;

public sealed class ResponsesTests
{
    // Azurite takes any continuation.
    [Fact]
    public async Task A_continuation_that_storage_refuses_is_the_callers_error()
    {
        var refusal = new RequestFailedException(400, "One of the request inputs is out of range.");

        var response = (ContentResult)await Responses.PageAsync<string>("none", () => throw refusal);

        Assert.Equal(400, response.StatusCode);
        Assert.Contains("\"field\": \"continuation\"", response.Content, StringComparison.Ordinal);
        await Assert.ThrowsAsync<RequestFailedException>(() => Responses.PageAsync<string>(null, () => throw refusal));
    }
}
