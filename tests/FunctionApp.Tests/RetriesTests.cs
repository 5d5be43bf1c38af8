using System.Net.Sockets;
using System.Xml;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Orchestration;
using Microsoft.DurableTask;

namespace FunctionsPipeline.FunctionApp.Tests;

public class RetriesTests
{
    [Theory]
    [InlineData(typeof(HttpRequestException))]
    [InlineData(typeof(SocketException))]
    [InlineData(typeof(XmlException))]
    [InlineData(typeof(IOException))]
    public async Task A_passing_failure_of_whatever_type_is_tried_again(Type failure)
    {
        var calls = 0;
        var orchestration = new FakeOrchestration("").On<string, int>("Flaky", _ =>
            ++calls < 3 ? throw (Exception)Activator.CreateInstance(failure)! : calls);
        Assert.Equal(3, await orchestration.CallActivityAsync<int>("Flaky", "", Retries.Transient));
    }

    [Fact]
    public async Task A_failure_that_stays_the_same_is_not_tried_again_also_when_it_is_inside_another()
    {
        foreach (var failure in new Exception[]
        {
            new PermanentFailureException("gone"),
            new RequestException("dataset.repo", 404, "gone"),
            new InvalidOperationException("outer", new PermanentFailureException("inner", new HttpRequestException())),
        })
        {
            var orchestration = new FakeOrchestration("").On<string, int>("Broken", int (_) => throw failure);
            await Assert.ThrowsAsync<TaskFailedException>(() => orchestration.CallActivityAsync<int>("Broken", "", Retries.Transient));
            Assert.Single(orchestration.Calls);
        }
    }
}
