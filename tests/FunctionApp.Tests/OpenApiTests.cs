using System.ComponentModel;
using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.Datasets;
using FunctionsPipeline.FunctionApp.Http;
using FunctionsPipeline.LocalHost.Processes;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>
/// Holds <c>docs/openapi.json</c> to the code: routes, methods and keys from <c>functions.snapshot.txt</c>, schemas from the records of
/// Contracts and their XML summaries, and the table below, which says what each function takes and returns.
/// </summary>
public sealed partial class OpenApiTests
{
    private const string InvalidRequest = "The request has a mistake; `field` or `errors` names it";
    private const string NotOnTheHub = "The Hub has no such repository, revision or configuration";
    private const string NoAnswer = "The Hub does not answer";

    private const string CorrectionPath = "/api/predictions/{name}/correction";
    private const string TimelinePath = "/api/predictions/{name}/timeline";
    private const string NoImage = "There is no such image";
    private const string NoRun = "There is no such run";
    private const string NoDataset = "There is no such ingested dataset";
    private const string ParameterMistake = "A parameter has a mistake; `field` names it";

    private static readonly Response NotModified = new(304, "The response would be the one with that `ETag`");

    private static readonly Parameter Run = new("run", "path", "Id of the run");
    private static readonly Parameter Sweep = new("sweep", "path", "Id of the sweep");
    private static readonly Parameter Image =
        new("name", "path", "Name of the image in `product-images`; its slashes may be encoded or not");

    private static readonly Parameter Continuation =
        new("continuation", "query", "The token of the page before; the first page when left out");

    private static readonly Parameter Width = new("width", "query",
        "Returns a JPEG thumbnail no wider and no higher than this, 16 to 1024; the image as it is stored when left out", "integer");

    private static readonly Parameter IfNoneMatch = new("If-None-Match", "header",
        "The `ETag` of an earlier response; the response is 304 while it would be the same");

    private static readonly Parameter[] View =
    [
        new("owner", "path", "Owner of the repository"), new("name", "path", "Name of the repository"),
        new("commit", "path", "The pinned commit"), new("view", "path", "Short hash of the settings"),
    ];

    private static readonly Response[] ImageResponses =
    [
        new(200, "The image, or the thumbnail, with an `ETag`; bytes that are no image come as `application/octet-stream`")
        {
            MediaType = "image/*", IsBinary = true,
        },
        NotModified, Problem(400, "`width` is not from 16 to 1024, or the name has a mistake"), Problem(404, NoImage),
        Problem(415, "A thumbnail is asked for of bytes that are no image"),
        Problem(422, "A thumbnail is asked for of an image that cannot be decoded; `detail` has the reason"),
    ];

    private static readonly Parameter IfMatch = new("If-Match", "header", "`ETag` of the image's version that is meant");

    private static readonly Parameter[] PredictionFilter =
    [
        new("status", "query", "`predicted`, `rejected` or `failed`; in a list also `waiting`, for images without a document"),
        new("prefix", "query", "Beginning of the images' names; all when left out"),
        new("model", "query", "Model that answered; all when left out"),
        Below("Confidence in the answer, 0 to 1, that documents must be below; all when left out"),
    ];

    private static readonly Dictionary<string, Operation> Operations = new()
    {
        ["StartRun"] = new("Starts a run: ingests a dataset, fine-tunes the base model, publishes the result", typeof(RunRequest), [])
        {
            Responses =
            [
                new(202, "The run has been accepted; the header `Location` has the URL of its state", typeof(RunAccepted)),
                Problem(400, InvalidRequest), Problem(404, NotOnTheHub), Problem(409, "A run with this id exists"),
                Problem(503, $"No GPU worker is set up, or: {NoAnswer}"),
            ],
        },
        ["ListRuns"] = new("Lists runs, newest first", null,
        [
            new("top", "query", "Maximum number of runs on the page, 1 to 200; 50 when left out", "integer"),
            Continuation,
            new("status", "query", "Runtime statuses to include, separated by commas: `Pending`, `Running`, `Completed`, `Failed`, "
                + "`Terminated`, `Suspended`; all when left out"),
            new("createdFrom", "query", "Earliest time of acceptance, included, such as 2026-05-01T12:00:00Z"),
            new("createdTo", "query", "Latest time of acceptance, included"),
        ])
        {
            Responses = [new(200, "A page of runs", typeof(RunPage)), Problem(400, ParameterMistake)],
        },
        ["GetRun"] = new("Returns the state of a run", null, [Run, IfNoneMatch])
        {
            Responses = [new(200, "The run, with an `ETag`", typeof(RunView)), NotModified, Problem(404, NoRun)],
        },
        ["GetRunRequest"] = new("Returns the accepted request of a run, with the commits that its revisions pointed to", null, [Run])
        {
            Responses = [new(200, "The request", typeof(RunRequest)), Problem(404, NoRun)],
        },
        ["GetRunSummary"] = new("Returns the loss curves and the result of a run", null, [Run, IfNoneMatch])
        {
            Responses = [new(200, "The summary, with an `ETag`", typeof(RunSummary)), NotModified, Problem(404, NoRun)],
        },
        ["GetSamples"] = new("Returns the answers to a few validation samples over the course of a run", null, [Run, IfNoneMatch])
        {
            Responses =
            [
                new(200, "The gallery, with an `ETag`", typeof(SampleGallery)), NotModified,
                Problem(404, "There is no such run, or it has no gallery (yet)"),
            ],
        },
        ["GetSampleImage"] = new("Returns an image of a run's gallery", null,
            [Run, new("file", "path", "`image` of the sample"), Width, IfNoneMatch])
        {
            Responses = ImageResponses,
        },
        ["ListAnswers"] = new("Lists the answers to the samples of a run's evaluations, the base model's first", null,
        [
            Run,
            new("model", "query", "`base` or `fine-tuned`; both when left out"),
            new("split", "query", "`train`, `validation` or `test`; all when left out"),
            new("top", "query", "Maximum number of answers on the page, 1 to 1000; 50 when left out", "integer"),
            Continuation,
        ])
        {
            Responses =
            [
                new(200, "A page; empty while the run has no answers", typeof(AnswerPage)), Problem(400, ParameterMistake),
                Problem(404, NoRun),
            ],
        },
        ["GetTimeline"] = new("Returns the course of an orchestration", null,
            [new("instance", "path", "Instance id: of a run, a sweep, an ingestion, a reading, or a sub-orchestration of these")])
        {
            Responses = [new(200, "The course so far", typeof(Timeline)), Problem(404, "There is no such orchestration (any more)")],
        },
        ["GetMetrics"] = new("Returns the metrics of a run, one JSON line for each training step, validation and checkpoint", null,
        [
            Run,
            new("afterStep", "query", "Returns the lines of later steps only. A step's lines are not written at once: "
                + "whoever polls asks for one step less than the last that came, and replaces the lines of that one", "integer"),
            IfNoneMatch,
        ])
        {
            Responses =
            [
                new(200, "The lines written so far, with an `ETag`", typeof(MetricsLine), "application/jsonl"),
                NotModified, Problem(400, "`afterStep` is no number"),
                Problem(404, NoRun),
            ],
        },
        ["CancelRun"] = new("Cancels a run: terminates its orchestration and stops its GPU job", null, [Run])
        {
            Responses =
            [
                new(202, "The run is being cancelled", typeof(RunView)), Problem(404, NoRun),
                Problem(409, "The run has ended already"),
            ],
        },
        ["StartSweep"] = new("Starts a sweep: runs that differ in some training settings; publishes the best", typeof(SweepRequest), [])
        {
            Responses =
            [
                new(202, "The sweep has been accepted; the header `Location` has the URL of its state", typeof(SweepAccepted)),
                Problem(400, InvalidRequest), Problem(404, NotOnTheHub), Problem(409, "A sweep or a run with this id exists"),
                Problem(503, $"No GPU worker is set up, or: {NoAnswer}"),
            ],
        },
        ["ListSweeps"] = new("Lists sweeps without their runs, newest first", null,
        [
            new("top", "query", "Maximum number of sweeps on the page, 1 to 200; 50 when left out", "integer"),
            Continuation,
        ])
        {
            Responses = [new(200, "A page of sweeps", typeof(SweepPage)), Problem(400, ParameterMistake)],
        },
        ["GetSweep"] = new("Returns the state of a sweep and of each of its runs", null, [Sweep])
        {
            Responses = [new(200, "The sweep", typeof(SweepView)), Problem(404, "There is no such sweep")],
        },
        ["CancelSweep"] = new("Cancels a sweep: terminates its orchestration and cancels its runs", null, [Sweep])
        {
            Responses =
            [
                new(202, "The sweep is being cancelled", typeof(SweepView)), Problem(404, "There is no such sweep"),
                Problem(409, "The sweep has ended already"),
            ],
        },
        ["HuggingFaceHook"] = new(
            "Takes an event of a Hugging Face webhook: starts the configured run for a new commit of its dataset", typeof(HubEvent),
            [new("X-Webhook-Secret", "header", "Secret of the webhook, the setting `Retraining__WebhookSecret`")])
        {
            Responses =
            [
                new(200, "The event starts no run", typeof(RetrainingDecision)),
                new(202, "A run was started, or waits", typeof(RetrainingDecision)), Problem(400, InvalidRequest),
                Problem(401, "The request does not have the secret"), Problem(404, "No webhook is taken"),
            ],
        },
        ["GetCurrentModel"] = new("Returns the serving model", null, [])
        {
            Responses = [new(200, "The serving model", typeof(CurrentModel)), Problem(404, "No model serves yet")],
        },
        ["ListPredictions"] = new("Lists prediction documents, or the images that wait for theirs", null, [.. PredictionFilter,
            new("top", "query", "Maximum number of documents on the page, 1 to 200; 50 when left out", "integer"),
            Continuation, IfNoneMatch,
        ])
        {
            Responses = [new(200, "A page, with an `ETag`", typeof(PredictionPage)), NotModified, Problem(400, ParameterMistake)],
        },
        ["CountPredictions"] = new("Counts uploaded images by their state", null,
        [
            PredictionFilter.Single(parameter => parameter.Name == "prefix"),
            Below("Confidence in the answer, 0 to 1, below which an answer counts as `lowConfidence`; none does when left out"),
        ])
        {
            Responses = [new(200, "The counts", typeof(UploadCounts)), Problem(400, ParameterMistake)],
        },
        ["GetPrediction"] = new("Returns the prediction document of an image", null, [Image])
        {
            Responses =
            [
                new(200, "The document", typeof(PredictionDocument)),
                new(202, "The image's current version has no document yet", typeof(WaitingImage)), Problem(404, NoImage),
            ],
        },
        ["GetPredictionTimeline"] = new("Returns the course of the reading of an image's current version", null, [Image])
        {
            Function = "GetPrediction",
            Path = TimelinePath,
            Responses =
            [
                new(200, "The course so far", typeof(Timeline)),
                Problem(404, "There is no such image, or the history of its reading has been purged"),
            ],
        },
        ["RetryPredictions"] = new("Has images read again", null,
        [
            new("name", "path", "Name of the image followed by `/retry`; `retry` alone for all whose documents pass the filter"),
            .. PredictionFilter,
        ])
        {
            Responses =
            [
                new(202, "The images are read again", typeof(ReadAgainAccepted)),
                Problem(400, "`status` is missing"), Problem(404, NoImage),
            ],
        },
        ["Repredict"] = new("Has all images read again that another model answered", null,
        [
            new("version", "path", "The serving model"),
            new("prefix", "query", "Beginning of the images' names; all when left out"),
        ])
        {
            Responses = [new(202, "The images are read again", typeof(ReadAgainAccepted)), Problem(409, "The model does not serve")],
        },
        ["ListModels"] = new("Lists complete models with their figures and cards, newest first", null, [])
        {
            Responses = [new(200, "All complete models, base models too", typeof(ModelList))],
        },
        ["GetModelHistory"] = new("Lists the changes of the serving model, newest first", null, [])
        {
            Responses = [new(200, "All changes", typeof(ModelChangeList))],
        },
        ["ActivateModel"] = new("Makes another fine-tuned model serve, such as the one before", typeof(ActivationRequest),
            [new("version", "path", "Folder of the model")])
        {
            Responses =
            [
                new(200, "The model that serves now", typeof(CurrentModel)), Problem(400, InvalidRequest),
                Problem(404, "There is no such model"), Problem(409, "The model is incomplete or was not fine-tuned by a run"),
            ],
        },
        ["Predict"] = new("Answers an image at once; stores nothing", null,
            [new("Accept", "header", "`text/event-stream` for the answer piece by piece while it is generated")])
        {
            TakesImage = true,
            Responses =
            [
                new(200, "The answer, also to an image that is rejected. As `text/event-stream`: events `delta`, whose data is an "
                    + "`AnswerDelta`, then one event `prediction`, whose data is the `Prediction`. An error before the first event is a "
                    + "response as below, a later one an event `problem`, whose data is a `Problem`", typeof(Prediction))
                {
                    Events = typeof(AnswerDelta),
                },
                Problem(400, "The form has a mistake"), Problem(413, "The image is too large"),
                Problem(429, "The GPU worker has enough to do; the header `Retry-After` has the seconds until the caller's turn"),
                Problem(502, "The GPU worker broke or ran out of time over the image"),
                Problem(503, "The GPU worker is away or has no model yet; the header `Retry-After` may have seconds"),
            ],
        },
        ["GetImage"] = new("Returns an uploaded image", null, [Image, Width, IfNoneMatch]) { Responses = ImageResponses },
        ["UploadImage"] = new("Uploads an image, raw or as the only file of a form", null,
        [
            Image, IfMatch, new("If-None-Match", "header", "`*` to upload only if there is no image of this name"),
        ])
        {
            TakesImage = true,
            Responses =
            [
                new(200, "The image was replaced", typeof(UploadAccepted)),
                new(201, "The image was uploaded; the header `Location` has the URL of its prediction", typeof(UploadAccepted)),
                Problem(400, "The name or the form has a mistake"), Problem(412, "`If-Match` or `If-None-Match` does not hold"),
                Problem(413, "The image is too large"),
            ],
        },
        ["DeleteImage"] = new("Deletes an image", null, [Image, IfMatch])
        {
            Responses =
            [
                new(204, "The image was deleted"), Problem(400, "The name has a mistake"), Problem(404, NoImage),
                Problem(412, "`If-Match` does not hold"),
            ],
        },
        ["PutCorrection"] = new(
            "Stores the right answer to an image, for later runs to learn from", typeof(CorrectionRequest), [Image, IfMatch])
        {
            Path = CorrectionPath,
            Responses =
            [
                new(200, "The correction of the image's current version", typeof(Correction)), Problem(400, InvalidRequest),
                Problem(404, NoImage), Problem(412, "`If-Match` does not hold"),
            ],
        },
        ["GetCorrection"] = new("Returns the right answer to an image", null, [Image])
        {
            Function = "GetPrediction",
            Path = CorrectionPath,
            Responses = [new(200, "The correction", typeof(Correction)), Problem(404, "There is no correction of this image")],
        },
        ["DeleteCorrection"] = new("Withdraws the right answer to an image", null, [Image])
        {
            Path = CorrectionPath,
            Responses = [new(204, "The correction was withdrawn"), Problem(404, "There is no correction of this image")],
        },
        ["GetHealth"] = new("Returns `ok` or `unreachable` for storage and the GPU worker", null, [])
        {
            Responses = [new(200, "Storage is reachable", typeof(Health)), new(503, "Storage is unreachable", typeof(Health))],
        },
        ["GetHealthDetails"] = new("Returns `ok` or the error of storage and the GPU worker", null, [])
        {
            Responses = [new(200, "Storage is reachable", typeof(Health)), new(503, "Storage is unreachable", typeof(Health))],
        },
        ["ListDatasets"] = new("Lists ingested datasets, the last one first", null, [])
        {
            Responses = [new(200, "All ingested datasets", typeof(DatasetViewList))],
        },
        ["GetDataset"] = new("Returns the report of an ingested dataset", null, View)
        {
            Responses = [new(200, "The report", typeof(IngestReport)), Problem(404, NoDataset)],
        },
        ["ListRows"] = new("Lists the rows of an ingested dataset", null,
        [
            .. View,
            new("state", "query", "`stored`, `duplicate` or `rejected`; all when left out"),
            new("reason", "query", "Reason of the rejection; all when left out"),
            new("split", "query", "`train`, `validation` or `test`; all when left out"),
            new("top", "query", "Maximum number of rows on the page, 1 to 1000; 50 when left out", "integer"),
            Continuation,
        ])
        {
            Responses = [new(200, "A page", typeof(RowPage)), Problem(400, ParameterMistake), Problem(404, NoDataset)],
        },
        ["GetRowImage"] = new("Returns the image of a dataset's row", null,
            [View[0], View[1], new("sha256", "path", "SHA-256 of the image's bytes, lower-case hexadecimal"), Width, IfNoneMatch])
        {
            Responses = ImageResponses,
        },
        ["InspectDataset"] = new("Describes a dataset and the columns that would be read; stores nothing", typeof(DatasetRequest), [])
        {
            Responses =
            [
                new(200, "Schema, sizes of the splits, sample rows and the column mapping", typeof(DatasetInspection)),
                Problem(400, InvalidRequest), Problem(404, NotOnTheHub), Problem(503, NoAnswer),
            ],
        },
        ["StartIngestion"] = new("Ingests a dataset into training shards, without a run", typeof(DatasetRequest), [])
        {
            Responses =
            [
                new(202, "The ingestion has been started; the header `Location` has the URL of its state", typeof(IngestionAccepted)),
                Problem(400, InvalidRequest), Problem(404, NotOnTheHub), Problem(503, NoAnswer),
            ],
        },
        ["RetryRows"] = new(
            "Ingests a new view of the same commit, in which rows that were rejected are read again and all others are those of the view; "
            + "`output.view` of the ingestion is its name, and the `dataset.view` of a run on it",
            typeof(RetryRowsRequest), View)
        {
            IsBodyOptional = true,
            Responses =
            [
                new(202, "The ingestion has been started; the header `Location` has the URL of its state", typeof(IngestionAccepted)),
                Problem(400, InvalidRequest), Problem(404, NoDataset),
                Problem(409, "The ingestion of the view has not ended, or no row was rejected for one of the reasons"),
            ],
        },
    };

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
        var schemas = new Schemas();
        // First, as a record of requests and responses has the defaults of requests.
        foreach (var operation in Operations.Values)
            if (operation.Body is { } body) schemas.Of(body, isRequest: true);
        // All but the page that asks the API.
        var functions = File.ReadAllLines(Snapshot).Select(line => HttpFunction().Match(line))
            .Where(match => match.Success && match.Groups["name"].Value != nameof(DashboardEndpoint.GetDashboard)).ToList();
        var described = Operations.Select(operation => operation.Value.Function ?? operation.Key).Distinct().Order();
        Assert.Equal(functions.Select(function => function.Groups["name"].Value).Order(), described);

        var paths = new SortedDictionary<string, JsonObject>(StringComparer.Ordinal);
        foreach (var function in functions)
        {
            var name = function.Groups["name"].Value;
            foreach (var (id, operation) in Operations.Where(operation => (operation.Value.Function ?? operation.Key) == name))
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

    private static JsonObject Describe(string name, Operation operation, bool anonymous, Schemas schemas)
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

    private static Parameter Below(string description) => new("below", "query", description, "number");

    private static Response Problem(int status, string description) =>
        new(status, description, typeof(Problem), "application/problem+json");

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

    /// <summary>An HTTP function, apart from its route, methods and key.</summary>
    private sealed record Operation(string Summary, Type? Body, IReadOnlyList<Parameter> Parameters)
    {
        public required IReadOnlyList<Response> Responses { get; init; }

        /// <summary>Function that answers, when it answers other operations too.</summary>
        public string? Function { get; init; }

        /// <summary>Path where it says more than the route.</summary>
        public string? Path { get; init; }

        /// <summary>True when the request may have no body.</summary>
        public bool IsBodyOptional { get; init; }

        /// <summary>True when the body is an image, or a form with one.</summary>
        public bool TakesImage { get; init; }
    }

    private sealed record Response(int Status, string Description, Type? Type = null, string MediaType = "application/json")
    {
        /// <summary>Data of the events that the response consists of when the request asks for a stream.</summary>
        public Type? Events { get; init; }

        /// <summary>True when the body is not a document but bytes.</summary>
        public bool IsBinary { get; init; }
    }

    private sealed record Parameter(string Name, string In, string Description, string Type = "string")
    {
        public JsonNode Describe()
        {
            var parameter = new JsonObject { ["name"] = Name, ["in"] = In, ["description"] = Description };
            if (In == "path") parameter["required"] = true;
            parameter["schema"] = new JsonObject { ["type"] = Type };
            return parameter;
        }
    }

    /// <summary>Schemas of the records that requests and responses are made of, each under the name of its type.</summary>
    private sealed class Schemas
    {
        private static readonly JsonSerializerOptions Json =
            new(PipelineJson.Options) { TypeInfoResolver = new DefaultJsonTypeInfoResolver() };

        private readonly SortedDictionary<string, JsonNode> _schemas = new(StringComparer.Ordinal);
        private readonly Summaries _summaries = new(typeof(RunRequest).Assembly, typeof(Health).Assembly);

        public JsonObject All() => new(_schemas.Select(schema => KeyValuePair.Create(schema.Key, (JsonNode?)schema.Value)));

        /// <summary>Returns a reference to the schema of a record, which is generated at its first use.</summary>
        /// <param name="isRequest">True to give the defaults of members that may be left out, and to refuse other members.</param>
        public JsonObject Of(Type type, bool isRequest)
        {
            if (!_schemas.ContainsKey(type.Name))
            {
                // Keeps a record that contains itself from being generated without end.
                _schemas.Add(type.Name, new JsonObject());
                _schemas[type.Name] = Generate(type, isRequest);
            }
            return new JsonObject { ["$ref"] = $"#/components/schemas/{type.Name}" };
        }

        private JsonNode Generate(Type type, bool isRequest)
        {
            if (Converted(type, isRequest) is { } converted) return converted;
            var defaults = isRequest
                ? JsonSerializer.SerializeToNode(Activator.CreateInstance(type), type, PipelineJson.Options)!.AsObject()
                : [];
            var options = new JsonSchemaExporterOptions
            {
                TreatNullObliviousAsNonNullable = true,
                TransformSchemaNode = (context, schema) =>
                {
                    var node = context.TypeInfo.Type;
                    // A type with a converter of its own has the schema true.
                    if (schema is not JsonObject) schema = IsRecord(node) ? new JsonObject() : schema;
                    if (schema is not JsonObject) return schema;
                    // A member that is null is left out, so that none is of the type "null".
                    if (schema["type"] is JsonArray types) schema["type"] = types.First(one => (string)one! != "null")!.DeepClone();
                    if (schema["enum"] is JsonArray words) schema = Enumeration(words);
                    if (context.Path.IsEmpty) return Complete(type, schema.AsObject(), isRequest);
                    if (IsRecord(node)) schema = Of(node, isRequest);
                    if (context.PropertyInfo is not { } property || context.Path[^2] != "properties") return schema;
                    var member = (PropertyInfo)property.AttributeProvider!;
                    if (_summaries.Of(member) is { Length: > 0 } summary) schema["description"] = summary;
                    AllowNulls(new NullabilityInfoContext().Create(member), schema);
                    if (defaults[property.Name] is JsonValue value) schema["default"] = value.DeepClone();
                    return schema;
                },
            };
            return Json.GetJsonSchemaAsNode(type, options);
        }

        /// <summary>Returns the schema of a type that has a JSON converter; null for others.</summary>
        private JsonObject? Converted(Type type, bool isRequest)
        {
            static JsonObject Of(string type) => new() { ["type"] = type };
            var schema = type == typeof(FieldValue)
                ? new JsonObject
                {
                    ["oneOf"] = new JsonArray(
                        Of("string"), Of("number"), new JsonObject { ["type"] = "array", ["items"] = Of("string") }),
                }
                : type == typeof(FieldValues)
                    ? new JsonObject { ["type"] = "object", ["additionalProperties"] = this.Of(typeof(FieldValue), isRequest) }
                    : null;
            schema?.Insert(0, "description", _summaries.Of(type));
            return schema;
        }

        private JsonObject Complete(Type type, JsonObject schema, bool isRequest)
        {
            schema.Remove("required");
            if (!isRequest) schema.Remove("additionalProperties");
            // In a request, text that is empty by default must be given, unless an attribute says that this default is meant.
            var required = schema["properties"]!.AsObject().Where(member => isRequest
                ? member.Value!["default"] is JsonValue value && value.GetValueKind() == JsonValueKind.String && (string)value! == ""
                    && PropertyOf(type, member.Key).GetCustomAttribute<DefaultValueAttribute>() is null
                : IsAlwaysThere(type, member.Key)).ToList();
            foreach (var member in required) member.Value!.AsObject().Remove("default");
            if (required.Count > 0) schema["required"] = new JsonArray([.. required.Select(member => JsonValue.Create(member.Key))]);
            if (_summaries.Of(type) is { Length: > 0 } summary) schema.Insert(0, "description", summary);
            return schema;
        }

        private static bool IsRecord(Type type) =>
            !type.IsEnum && type.Namespace?.StartsWith(nameof(FunctionsPipeline), StringComparison.Ordinal) == true;

        private static PropertyInfo PropertyOf(Type type, string member) =>
            type.GetProperties().Single(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name) == member);

        private static bool IsAlwaysThere(Type type, string member)
        {
            var property = PropertyOf(type, member);
            return Nullable.GetUnderlyingType(property.PropertyType) is null
                && new NullabilityInfoContext().Create(property).ReadState != NullabilityState.Nullable;
        }

        // Unlike a member, an item of a list or a value of a dictionary may be null in JSON.
        private static void AllowNulls(NullabilityInfo property, JsonNode schema)
        {
            if (property.GenericTypeArguments is not [.., var item]) return;
            if ((schema["items"] ?? schema["additionalProperties"]) is not JsonObject items) return;
            if (item.ReadState == NullabilityState.Nullable && items["type"] is JsonValue type)
                items["type"] = new JsonArray(type.DeepClone(), "null");
            AllowNulls(item, items);
        }

        private static JsonObject Enumeration(JsonArray words) => new()
        {
            ["type"] = "string",
            ["enum"] = new JsonArray([.. words.Where(word => word is not null).Select(word => word!.DeepClone())]),
        };
    }

    /// <summary>XML summaries of assemblies as Markdown of one line, from the files that the compiler writes beside them.</summary>
    private sealed partial class Summaries(params IReadOnlyList<Assembly> assemblies)
    {
        private readonly Dictionary<string, XElement> _members = assemblies
            .Select(assembly => XDocument.Load(Path.ChangeExtension(assembly.Location, ".xml"), LoadOptions.PreserveWhitespace))
            .SelectMany(file => file.Descendants("member"))
            // Both assemblies have the types that the regex generator writes.
            .DistinctBy(member => member.Attribute("name")!.Value)
            .ToDictionary(member => member.Attribute("name")!.Value);

        public string Of(MemberInfo member) => Of(
            member is Type type ? $"T:{type.FullName}" : $"P:{member.DeclaringType!.FullName}.{member.Name}", member);

        private string Of(string id, MemberInfo member)
        {
            var summary = _members.GetValueOrDefault(id)?.Element("summary");
            if (_members.GetValueOrDefault(id)?.Element("inheritdoc")?.Attribute("cref")?.Value is { } other)
                summary = _members[other].Element("summary");
            // A positional record describes its members as parameters.
            if (summary is null && member is PropertyInfo)
            {
                summary = _members.GetValueOrDefault($"T:{member.DeclaringType!.FullName}")?.Elements("param")
                    .FirstOrDefault(parameter => parameter.Attribute("name")!.Value == member.Name);
            }
            return summary is null ? "" : Whitespace().Replace(string.Concat(summary.Nodes().Select(Markdown)), " ").Trim();
        }

        private string Markdown(XNode node) => node switch
        {
            XText text => text.Value,
            XElement { Name.LocalName: "see", IsEmpty: true } see =>
                see.Attribute("href")?.Value ?? Reference(see.Attribute("cref")!.Value),
            XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
            XElement element => string.Concat(element.Nodes().Select(Markdown)),
            _ => "",
        };

        // A constant is its value, a class of constants their list, and a member has its name in JSON.
        private string Reference(string reference)
        {
            var (kind, name) = (reference[0], reference[2..]);
            if (kind == 'T' && Find(name) is { IsAbstract: true, IsSealed: true } type)
            {
                var constants = type.GetFields().Where(field => field.IsLiteral);
                return string.Join(", ", constants.Select(constant => $"`{constant.GetRawConstantValue()}`"));
            }
            var (owner, member) = (name[..name.LastIndexOf('.')], name[(name.LastIndexOf('.') + 1)..]);
            if (kind == 'F' && Find(owner)?.GetField(member) is { FieldType.IsEnum: false, IsLiteral: true } value)
                return $"`{value.GetRawConstantValue()}`";
            return $"`{(kind is 'P' or 'F' ? JsonNamingPolicy.CamelCase.ConvertName(member) : member)}`";
        }

        private Type? Find(string name) =>
            assemblies.Select(assembly => assembly.GetType(name)).FirstOrDefault(type => type is not null);

        [GeneratedRegex(@"\s+")]
        private static partial Regex Whitespace();
    }
}
