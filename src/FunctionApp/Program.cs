using System.Runtime;
using FunctionsPipeline.FunctionApp;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.Hosting;

// Garbage piles up while a collection is concurrent. Not switched off in the project file: where collections may be concurrent, a few MB of
// garbage start one.
GCSettings.LatencyMode = GCLatencyMode.Batch;
var builder = FunctionsApplication.CreateBuilder(args);
builder.ConfigureFunctionsWebApplication();
builder.Logging.AddLogFilters();
builder.AddAppTelemetry();
builder.Services.AddPipeline(builder.Configuration);
builder.Build().Run();
