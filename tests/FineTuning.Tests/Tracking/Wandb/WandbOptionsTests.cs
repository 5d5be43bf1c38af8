using FunctionsPipeline.FineTuning.Tracking.Wandb;
using Microsoft.Extensions.Logging.Abstractions;

namespace FunctionsPipeline.FineTuning.Tests.Tracking.Wandb;

public sealed class WandbOptionsTests
{
    private readonly Dictionary<string, string> _variables = new() { ["WANDB_API_KEY"] = "secret" };

    private WandbOptions? Read() => WandbOptions.Read(_variables.GetValueOrDefault, NullLogger.Instance);

    [Fact]
    public void The_key_alone_is_enough()
    {
        var options = Read()!;
        Assert.Equal(
            (new Uri("https://api.wandb.ai"), "functions-pipeline", null, null),
            (options.Server, options.Project, options.Entity, options.Group));
        Assert.Empty(options.Tags);
        // printf api:secret | base64
        Assert.Equal("Basic YXBpOnNlY3JldA==", $"{options.Authorization}");
    }

    [Fact]
    public void Place_group_and_tags_are_read_from_the_environment()
    {
        foreach (var (name, value) in new[]
        {
            ("BASE_URL", "http://wandb.shop:8080/"), ("PROJECT", "catalog"), ("ENTITY", "team"), ("RUN_GROUP", "g"), ("TAGS", "a, b,"),
            ("MODE", "online"),
        }) _variables[$"WANDB_{name}"] = value;
        var options = Read()!;
        Assert.Equal(
            (new Uri("http://wandb.shop:8080"), "catalog", "team", "g"), (options.Server, options.Project, options.Entity, options.Group));
        Assert.Equal(["a", "b"], options.Tags);
    }

    [Theory]
    [InlineData("WANDB_API_KEY", "", 0)]
    [InlineData("WANDB_API_KEY", " ", 0)]
    [InlineData("WANDB_MODE", "disabled", 0)]
    [InlineData("WANDB_MODE", "offline", 0)]
    [InlineData("WANDB_MODE", "sometimes", 1)]
    [InlineData("WANDB_BASE_URL", "wandb.shop", 1)]
    [InlineData("WANDB_BASE_URL", "https://wandb.ai", 1)]
    [InlineData("WANDB_BASE_URL", "http://api.wandb.ai", 1)]
    [InlineData("WANDB_PROJECT", "a/b", 1)]
    [InlineData("WANDB_TAGS", "a,bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 1)]
    public void A_value_that_keeps_a_run_from_being_tracked_is_said(string name, string value, int warnings)
    {
        var logger = new CountingLogger();
        _variables[name] = value;
        Assert.Null(WandbOptions.Read(_variables.GetValueOrDefault, logger));
        Assert.Equal(warnings, logger.Warnings);
    }

    [Theory]
    [InlineData("https://api.wandb.ai", "https://wandb.ai/shop%20team/catalog/runs/r1")]
    [InlineData("https://api.shop.example/", "https://app.shop.example/shop%20team/catalog/runs/r1")]
    [InlineData("http://localhost:8080", "http://localhost:8080/shop%20team/catalog/runs/r1")]
    [InlineData("https://shop.example/wandb", "https://shop.example/wandb/shop%20team/catalog/runs/r1")]
    public void The_page_of_a_run_is_where_the_server_has_its_pages(string server, string page)
    {
        _variables["WANDB_BASE_URL"] = server;
        Assert.Equal(page, Read()!.Page(new RunPath("shop team", "catalog", "r1")));
    }

    [Fact]
    public void The_key_is_in_no_text()
    {
        var options = Read()!;
        Assert.DoesNotContain("secret", $"{options}");
        Assert.Equal("the key … and …", options.WithoutKey("the key secret and YXBpOnNlY3JldA=="));
    }
}
