using System.Diagnostics;
using FunctionsPipeline.TinyApp;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

if (Environment.GetEnvironmentVariable("TINY_APP_ENDS_WITH") is { } exitCode)
{
    Console.Error.WriteLine("the tiny app was told to end at once");
    return int.Parse(exitCode, null);
}
// Listens as OpenTelemetry would, because invocations have an activity only when a listener samples them.
ActivitySource.AddActivityListener(new ActivityListener
{
    ShouldListenTo = source => source.Name is "Microsoft.Azure.Functions.Worker" or "Microsoft.DurableTask",
    Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
});
var builder = FunctionsApplication.CreateBuilder(args);
builder.ConfigureFunctionsWebApplication();
builder.Services.AddSingleton<Notes>();
await builder.Build().RunAsync();
return 0;
