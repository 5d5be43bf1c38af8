using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.LocalHost.Tests;

public sealed class LocalStackTests
{
    private static readonly Uri Hub = new("http://127.0.0.1:7073");

    [Fact]
    public void Images_of_a_hub_of_this_machine_are_allowed()
    {
        var settings = LocalStack.SettingsFor(Hub, _ => null);
        Assert.Equal("127.0.0.1:7073", settings["Ingestion__AllowedHosts__0"]);
        Assert.Equal("32", settings["Ingestion__RequestsPerHost"]);
    }

    [Fact]
    public void Settings_of_the_environment_stay()
    {
        var environment = new Dictionary<string, string?>
        {
            ["Ingestion__AllowedHosts__0"] = "shop.example:8080",
            ["Ingestion__ReadTimeout"] = "00:01:00",
        };
        var settings = LocalStack.SettingsFor(Hub, environment.GetValueOrDefault);
        Assert.Equal("127.0.0.1:7073", settings["Ingestion__AllowedHosts__1"]);
        Assert.DoesNotContain("Ingestion__AllowedHosts__0", settings.Keys);
        Assert.DoesNotContain("Ingestion__ReadTimeout", settings.Keys);
        Assert.Equal("32", settings["Ingestion__RequestsPerHost"]);
    }
}
