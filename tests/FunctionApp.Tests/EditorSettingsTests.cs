using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>The files that an editor and Core Tools start the app with say what is there.</summary>
public sealed partial class EditorSettingsTests
{
    private static readonly JsonDocumentOptions WithComments = new()
    {
        CommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    private static readonly string Root = FindRoot();

    private static readonly IReadOnlyList<(string Name, ParameterInfo[] Parameters)> Functions = typeof(PipelineServices)
        .Assembly.GetTypes()
        .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static))
        .Select(method => (method.GetCustomAttribute<FunctionAttribute>()?.Name!, method.GetParameters()))
        .Where(function => function.Item1 is not null)
        .ToList();

    private static JsonNode Editor => Read(".vscode/settings.json");

    private static IReadOnlyList<JsonNode> Tasks => [.. Read(".vscode/tasks.json")["tasks"]!.AsArray().Select(task => task!)];

    private static IReadOnlyList<JsonNode> Launches =>
        [.. Read(".vscode/launch.json")["configurations"]!.AsArray().Select(launch => launch!)];

    [Fact]
    public void Host_json_is_the_apps_and_the_root_has_a_link_to_it()
    {
        Assert.Null(new FileInfo(Path.Combine(Root, "src/FunctionApp/host.json")).LinkTarget);
        Assert.Equal("src/FunctionApp/host.json", new FileInfo(Path.Combine(Root, "host.json")).LinkTarget);
        Assert.Equal("2.0", (string)Read("src/FunctionApp/host.json")["version"]!);
        Assert.True(File.Exists(Path.Combine(AppContext.BaseDirectory, "host.json")));
    }

    [Fact]
    public void The_Functions_extension_finds_the_project_and_what_it_deploys()
    {
        Assert.Equal("src/FunctionApp", (string)Editor["azureFunctions.projectSubpath"]!);
        Assert.Equal(("~4", "C#"), ((string)Editor["azureFunctions.projectRuntime"]!, (string)Editor["azureFunctions.projectLanguage"]!));
        Assert.Equal("src/FunctionApp/bin/Release/net10.0/publish", (string)Editor["azureFunctions.deploySubpath"]!);
        Assert.Contains((string)Editor["azureFunctions.preDeployTask"]!, Tasks.Select(Label));
    }

    [Fact]
    public void Tasks_that_are_named_exist()
    {
        var before = Launches.Select(launch => (string?)launch["preLaunchTask"]).OfType<string>();
        var named = before.Concat(Tasks.SelectMany(DependsOn)).ToList();
        Assert.NotEmpty(named);
        Assert.Empty(named.Except(Tasks.Select(Label)));
        Assert.Equal(Tasks.Count, Tasks.Select(Label).Distinct().Count());
    }

    [Fact]
    public void Paths_that_tasks_and_launches_name_exist()
    {
        var texts = Tasks.Concat(Launches).SelectMany(Texts).ToList();
        // What a build makes may not be there yet, but the project is.
        var paths = texts.SelectMany(text => RepositoryPath().Matches(text))
            .Select(match => match.Groups[1].Value.Split("/bin/")[0]).ToList();
        Assert.Contains("src/FunctionApp", paths);
        Assert.All(paths, path => Assert.True(Path.Exists(Path.Combine(Root, path)), path));
        var programs = texts.Where(text => text.EndsWith(".dll", StringComparison.Ordinal)).ToList();
        Assert.All(programs, program => Assert.Contains(
            $"src/{Path.GetFileNameWithoutExtension(program).Split('.')[1]}/bin/", program, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Attach to .NET Functions", "attach")]
    [InlineData("Everything on this machine", "launch")]
    public void There_is_a_launch(string name, string request) =>
        Assert.Equal(request, (string)Assert.Single(Launches, launch => (string)launch["name"]! == name)["request"]!);

    [Fact]
    public void Sample_settings_hold_every_connection_and_everything_that_is_required()
    {
        var values = Read("src/FunctionApp/local.settings.sample.json")["Values"]!.AsObject().Select(value => value.Key).ToHashSet();
        // The host looks for a connection under its name with the prefix first.
        var connections = Functions.SelectMany(function => function.Parameters).SelectMany(parameter => parameter.GetCustomAttributes())
            .Select(attribute => attribute.GetType().GetProperty("Connection")?.GetValue(attribute) as string)
            .OfType<string>().Distinct().ToList();
        Assert.NotEmpty(connections);
        foreach (var connection in connections)
            Assert.True(values.Contains(connection) || values.Contains($"AzureWebJobs{connection}"), connection);
        string[] required = ["FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage", "PipelineStorage", "Worker__Url", "GpuWorker__Command"];
        Assert.Empty(required.Except(values));
    }

    [Fact]
    public void Every_functions_route_is_among_the_requests()
    {
        var requests = Requests().Select(request => request.Line).ToList();
        var triggers = Functions.SelectMany(function => function.Parameters)
            .Select(parameter => parameter.GetCustomAttribute<HttpTriggerAttribute>()).OfType<HttpTriggerAttribute>().ToList();
        Assert.NotEmpty(triggers);
        foreach (var trigger in triggers)
        {
            // A parameter with a star takes the rest of the path.
            var route = RouteParameter().Replace(trigger.Route!, parameter => parameter.Value[1] == '*' ? "[^ ?]+" : "[^/ ?]+");
            foreach (var method in trigger.Methods!)
                Assert.Contains(requests, line => Regex.IsMatch(line, $"^{method.ToUpperInvariant()} {{{{host}}}}/api/{route}([ ?]|$)"));
        }
    }

    [Fact]
    public void Every_blob_functions_event_is_among_the_requests()
    {
        var blobs = Functions.Where(function => function.Parameters.Any(
            parameter => parameter.GetCustomAttribute<BlobTriggerAttribute>() is not null)).ToList();
        Assert.NotEmpty(blobs);
        foreach (var (name, _) in blobs)
        {
            var request = Assert.Single(Requests(),
                request => request.Line == $"POST {{{{host}}}}/runtime/webhooks/blobs?functionName=Host.Functions.{name}");
            Assert.Contains("aeg-event-type: Notification", request.Headers);
            Assert.Equal("Microsoft.Storage.BlobCreated", (string)JsonNode.Parse(request.Body)![0]!["eventType"]!);
        }
    }

    [Fact]
    public void Functions_that_requests_name_exist_and_bodies_are_JSON()
    {
        var names = Functions.Select(function => function.Name).ToHashSet();
        foreach (var (line, _, body) in Requests())
        {
            // The other bodies are files, which begin with <.
            if (body.Length > 0 && body[0] != '<') Assert.NotNull(JsonNode.Parse(body));
            if (AdminFunction().Match(line) is { Success: true } match) Assert.Contains(match.Groups[1].Value, names);
        }
        Assert.Contains(Requests(), request => AdminFunction().IsMatch(request.Line));
    }

    private static IReadOnlyList<(string Line, IReadOnlyList<string> Headers, string Body)> Requests()
    {
        var text = File.ReadAllText(Path.Combine(Root, "docs/local.http"));
        var requests = new List<(string, IReadOnlyList<string>, string)>();
        foreach (var block in Regex.Split(text, "^###.*$", RegexOptions.Multiline))
        {
            var parts = block.Trim().Split("\n\n", 2);
            var lines = parts[0].Split('\n').Where(line => line is not ['#', ..] and not ['@', ..]).ToList();
            if (lines.Count > 0) requests.Add((lines[0], lines[1..], parts.ElementAtOrDefault(1) ?? ""));
        }
        return requests;
    }

    private static string Label(JsonNode task) => (string)task["label"]!;

    private static IEnumerable<string> DependsOn(JsonNode task) => task["dependsOn"] switch
    {
        JsonArray several => several.Select(name => (string)name!),
        { } one => [(string)one!],
        null => [],
    };

    private static IEnumerable<string> Texts(JsonNode? node) => node switch
    {
        JsonObject members => members.SelectMany(member => Texts(member.Value)),
        JsonArray items => items.SelectMany(Texts),
        JsonValue value when value.TryGetValue(out string? text) => [text],
        _ => [],
    };

    private static JsonNode Read(string path) => JsonNode.Parse(File.ReadAllText(Path.Combine(Root, path)), documentOptions: WithComments)!;

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "FunctionsPipeline.sln"))) folder = folder.Parent!;
        return folder.FullName;
    }

    // Relative to the repository, as tasks name them, or with the folder that VS Code has opened.
    [GeneratedRegex(@"(?:^|\$\{workspaceFolder\}/|\./)((?:src|tests|docs|pipeline)(?:/[\w./-]+)?|[\w]+\.sln)(?=$|\s)")]
    private static partial Regex RepositoryPath();

    [GeneratedRegex(@"\{\*?\w+\}")]
    private static partial Regex RouteParameter();

    [GeneratedRegex(@"/admin/functions/(\w+)")]
    private static partial Regex AdminFunction();
}
