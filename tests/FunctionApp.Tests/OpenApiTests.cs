using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>
/// Holds <c>docs/openapi.json</c> to the code: routes, methods and keys from <c>functions.snapshot.txt</c>, schemas from the records of
/// Contracts and their XML summaries, and <see cref="OpenApiOperations"/>, which says what each function takes and returns.
/// </summary>
public sealed partial class OpenApiTests
{
    private static string Snapshot => Path.Combine(Applications.RepositoryRoot, "tests", "FunctionApp.Tests", "functions.snapshot.txt");

    [Fact]
    public void The_document_describes_the_API()
    {
        var committed = Path.Combine(Applications.RepositoryRoot, "docs", "openapi.json");
        var expected = File.Exists(committed) ? File.ReadAllText(committed) : "";
        var generated = Text(Document());
        if (generated == expected) return;
        var (before, after) = (expected.Split('\n'), generated.Split('\n'));
        var difference = before.Except(after).Select(line => $"- {line}").Concat(after.Except(before).Select(line => $"+ {line}")).Take(40);
        var written = Path.Combine(AppContext.BaseDirectory, "openapi.generated.json");
        File.WriteAllText(written, generated);
        Assert.Fail($"""
            The code describes another API than docs/openapi.json:
            {string.Join('\n', difference)}
            If that is meant, and callers can live with it, renew the file:
            cp {written} {committed}
            """);
    }

    [Fact]
    public void Every_reference_in_the_document_has_its_target()
    {
        var document = Document();
        var schemas = document["components"]!["schemas"]!.AsObject().Select(schema => $"#/components/schemas/{schema.Key}").ToHashSet();
        var references = Nodes(document).OfType<JsonObject>().Select(node => (string?)node["$ref"]).OfType<string>();
        Assert.Equal(schemas.Order(), references.Distinct().Order());
    }

    private static JsonObject Document()
    {
        var schemas = new OpenApiSchemas();
        // First, as a record of requests and responses has the defaults of requests.
        foreach (var operation in OpenApiOperations.All.Values)
            if (operation.Body is { } body) schemas.Of(body, isRequest: true);
        // All but the page that asks the API.
        var functions = File.ReadAllLines(Snapshot).Select(line => HttpFunction().Match(line))
            .Where(match => match.Success && match.Groups["name"].Value != nameof(DashboardEndpoint.GetDashboard)).ToList();
        var described = OpenApiOperations.All.Select(operation => operation.Value.Function ?? operation.Key).Distinct().Order();
        Assert.Equal(functions.Select(function => function.Groups["name"].Value).Order(), described);

        var paths = new SortedDictionary<string, JsonObject>(StringComparer.Ordinal);
        foreach (var function in functions)
        {
            var name = function.Groups["name"].Value;
            foreach (var (id, operation) in OpenApiOperations.All.Where(operation => (operation.Value.Function ?? operation.Key) == name))
            {
                // OpenAPI has no parameters that take the rest of a URL: {*name} is described as {name}.
                var path = operation.Path ?? $"/api/{function.Groups["route"].Value.Replace("{*", "{", StringComparison.Ordinal)}";
                var inPath = operation.Parameters.Where(parameter => parameter.In == "path").Select(parameter => parameter.Name);
                Assert.Equal(RouteParameter().Matches(path).Select(match => match.Groups[1].Value), inPath);
                if (!paths.TryGetValue(path, out var item)) paths.Add(path, item = []);
                foreach (var method in function.Groups["methods"].Value.Split('|'))
                    item[method] = Describe(id, operation, function.Groups["level"].Value == "Anonymous", schemas);
            }
        }
        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject
            {
                ["title"] = "FunctionsPipeline",
                ["version"] = "1",
                ["description"] = "Fine-tunes Phi-3-Vision on an image dataset. A member that is null is left out of responses; "
                    + "requests with unknown members are refused. A run is also an orchestration: the URLs in `management` are those of "
                    + "the Durable Functions HTTP API.",
            },
            ["servers"] = new JsonArray(new JsonObject { ["url"] = "http://127.0.0.1:7071", ["description"] = "./pipeline up" }),
            ["security"] = new JsonArray(new JsonObject { ["key"] = new JsonArray() }),
            ["paths"] = new JsonObject(paths.Select(path => KeyValuePair.Create(path.Key, (JsonNode?)path.Value))),
            ["components"] = new JsonObject
            {
                ["schemas"] = schemas.All(),
                ["securitySchemes"] = new JsonObject
                {
                    ["key"] = new JsonObject
                    {
                        ["type"] = "apiKey",
                        ["in"] = "header",
                        ["name"] = "x-functions-key",
                        ["description"] = "A function key of the app; the local host wants none on loopback",
                    },
                },
            },
        };
    }

    private static JsonObject Describe(string name, OpenApiOperations.Operation operation, bool anonymous, OpenApiSchemas schemas)
    {
        var description = new JsonObject { ["operationId"] = name, ["summary"] = operation.Summary };
        if (anonymous) description["security"] = new JsonArray();
        if (operation.Parameters.Count > 0)
            description["parameters"] = new JsonArray([.. operation.Parameters.Select(parameter => parameter.Describe())]);
        if (operation.Body is { } body)
        {
            description["requestBody"] = new JsonObject
            {
                ["required"] = !operation.IsBodyOptional,
                ["content"] = Content("application/json", schemas.Of(body, isRequest: true)),
            };
        }
        if (operation.TakesImage)
        {
            var form = new JsonObject { ["type"] = "object", ["properties"] = new JsonObject { ["file"] = Binary() } };
            description["requestBody"] = new JsonObject
            {
                ["required"] = true,
                ["content"] = new JsonObject
                {
                    ["image/*"] = new JsonObject { ["schema"] = Binary() },
                    ["multipart/form-data"] = new JsonObject { ["schema"] = form },
                },
            };
        }
        var responses = new JsonObject();
        foreach (var response in operation.Responses)
        {
            var answer = new JsonObject { ["description"] = response.Description };
            if (response.Type is { } type) answer["content"] = Content(response.MediaType, schemas.Of(type, isRequest: false));
            if (response.Events is { } events)
                answer["content"]!["text/event-stream"] = Content("", schemas.Of(events, isRequest: false))[""]!.DeepClone();
            if (response.IsBinary) answer["content"] = Content(response.MediaType, Binary());
            responses[$"{response.Status}"] = answer;
        }
        if (!anonymous) responses["401"] = new JsonObject { ["description"] = "The request has no valid function key" };
        description["responses"] = responses;
        return description;
    }

    private static JsonObject Content(string mediaType, JsonObject schema) =>
        new() { [mediaType] = new JsonObject { ["schema"] = schema } };

    private static JsonObject Binary() => new() { ["type"] = "string", ["format"] = "binary" };

    private static IEnumerable<JsonNode> Nodes(JsonNode? node) => node switch
    {
        JsonObject members => members.SelectMany(member => Nodes(member.Value)).Prepend(node),
        JsonArray items => items.SelectMany(Nodes).Prepend(node),
        null => [],
        _ => [node],
    };

    private static string Text(JsonNode document) => document.ToJsonString(new JsonSerializerOptions
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    }) + "\n";

    [GeneratedRegex(@"^(?<name>\w+): httpTrigger authLevel=(?<level>\w+) methods=(?<methods>[\w|]+) route=(?<route>[^;\s]+)")]
    private static partial Regex HttpFunction();

    [GeneratedRegex(@"\{(\w+)\}")]
    private static partial Regex RouteParameter();
}
