using FunctionsPipeline.FunctionApp;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.Hosting;

var builder = FunctionsApplication.CreateBuilder(args);
builder.ConfigureFunctionsWebApplication();
builder.Logging.AddLogFilters();
builder.AddAppTelemetry();
builder.Services.AddPipeline(builder.Configuration);
builder.Build().Run();
