using System.Text.Json.Nodes;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;

namespace FunctionsPipeline.FunctionApp.Tests;

/// <summary>Says what each HTTP function takes and returns.</summary>
internal static class OpenApiOperations
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

    public static readonly Dictionary<string, Operation> All = new()
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

    private static Parameter Below(string description) => new("below", "query", description, "number");

    private static Response Problem(int status, string description) =>
        new(status, description, typeof(Problem), "application/problem+json");

    /// <summary>An HTTP function, apart from its route, methods and key.</summary>
    internal sealed record Operation(string Summary, Type? Body, IReadOnlyList<Parameter> Parameters)
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

    internal sealed record Response(int Status, string Description, Type? Type = null, string MediaType = "application/json")
    {
        /// <summary>Data of the events that the response consists of when the request asks for a stream.</summary>
        public Type? Events { get; init; }

        /// <summary>True when the body is not a document but bytes.</summary>
        public bool IsBinary { get; init; }
    }

    internal sealed record Parameter(string Name, string In, string Description, string Type = "string")
    {
        public JsonNode Describe()
        {
            var parameter = new JsonObject { ["name"] = Name, ["in"] = In, ["description"] = Description };
            if (In == "path") parameter["required"] = true;
            parameter["schema"] = new JsonObject { ["type"] = Type };
            return parameter;
        }
    }
}
