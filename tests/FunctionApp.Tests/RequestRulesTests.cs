using System.Text;
using FunctionsPipeline.Contracts;
using FunctionsPipeline.FunctionApp.Http;

namespace FunctionsPipeline.FunctionApp.Tests;

public class RequestRulesTests
{
    private const string Good =
        """{"dataset": {"repo": "samples/garments", "columns": {"image": "imageurl", "category": "category1_code"}}}""";

    [Fact]
    public async Task A_request_that_names_a_dataset_and_a_label_is_fine()
    {
        var request = await ReadAsync(Good);
        Assert.Empty(RequestRules.Check(request));
        Assert.Equal("imageurl", request.Dataset.Columns!.Image);
    }

    [Fact]
    public void A_dataset_of_a_container_needs_no_name()
    {
        var dataset = new DatasetRequest { Source = new DatasetSource { Container = "catalog", Prefix = "2026/" } };
        Assert.Empty(RequestRules.Check(new RunRequest { Dataset = dataset }));
        Assert.Empty(RequestRules.Check(new RunRequest { Dataset = dataset with { Repo = "my/catalog" } }));
        Assert.Equal("dataset.repo", Assert.Single(RequestRules.Check(new RunRequest { Dataset = dataset with { Repo = "a b" } })).Field);
    }

    [Theory]
    [InlineData("", "$")]
    [InlineData("{", "$")]
    [InlineData("null", "$")]
    [InlineData("[]", "$")]
    [InlineData("""{"training": {"learningRate": "fast"}}""", "training.learningRate")]
    [InlineData("""{"training": {"learningRate": 1e-4, "learningrates": 2}}""", "training.learningrates")]
    [InlineData("""{"training": {"batchSize": 1.5}}""", "training.batchSize")]
    [InlineData("""{"training": {"seed": 99999999999}}""", "training.seed")]
    [InlineData("""{"datasets": {}}""", "datasets")]
    [InlineData("""{"dataset": null}""", "dataset")]
    [InlineData("""{"dataset": {"columns": 5}}""", "dataset.columns")]
    [InlineData("""{"dataset": {"repo": null}}""", "dataset.repo")]
    [InlineData("""{"dataset": {"repo": 7}}""", "dataset.repo")]
    [InlineData("""{"publish": "yes"}""", "publish")]
    public async Task A_body_that_is_no_run_request_names_the_member(string body, string field)
    {
        var problem = await Assert.ThrowsAsync<RequestException>(() => ReadAsync(body));
        Assert.Equal(400, problem.Status);
        Assert.Equal(field, problem.Field);
    }

    [Fact]
    public async Task A_member_given_twice_is_refused()
    {
        var problem = await Assert.ThrowsAsync<RequestException>(() => ReadAsync("""{"run": "a", "run": "b"}"""));
        Assert.Contains("uplicate", problem.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, RunRequest> BadValues()
    {
        var data = new TheoryData<string, RunRequest>();
        foreach (var run in new[] { "", "Run", "a/b", "run\n", new string('a', 41) }) data.Add("run", Samples.Request with { Run = run });
        foreach (var repo in new[] { "", "garments", "a/b/c", "../b", "a b/c" })
        {
            data.Add("dataset.repo", Dataset(d => d with { Repo = repo }));
            data.Add("baseModel.repo", Samples.Request with { BaseModel = new BaseModelRequest { Repo = repo } });
        }
        data.Add("dataset.revision", Dataset(d => d with { Revision = " " }));
        data.Add("dataset.config", Dataset(d => d with { Config = "" }));
        data.Add("dataset.columns.image", Columns(c => c with { Image = "" }));
        data.Add("dataset.columns.title", Columns(c => c with { Title = "" }));
        data.Add("dataset.columns.category", Columns(c => c with { Category = "\t" }));
        data.Add("dataset.columns.price", Columns(c => c with { Price = "" }));
        data.Add("dataset.columns.product", Columns(c => c with { Product = " " }));
        data.Add("dataset.columns", Columns(c => c with { Category = null }));
        foreach (var container in new[] { "", "ab", "Catalog", "a--b", "-ab", "$web", Containers.Datasets, Containers.ProductImages })
            data.Add("dataset.source.container", Dataset(d => d with { Source = new DatasetSource { Container = container } }));
        foreach (var prefix in new[] { "../other", "a/./b", "a\\b", " " })
        {
            data.Add("dataset.source.prefix",
                Dataset(d => d with { Source = new DatasetSource { Container = "catalog", Prefix = prefix } }));
        }
        foreach (var name in new[] { "", "Brand", "1st", "made of", "title", "price", "image", "product", new string('a', 41) })
            data.Add($"dataset.columns.fields.{name}", Field(name, new FieldColumn { Column = "c" }));
        data.Add("dataset.columns.fields.brand", Field("brand", null!));
        data.Add("dataset.columns.fields.brand.column", Field("brand", new FieldColumn()));
        data.Add("dataset.columns.fields.brand.kind", Field("brand", new FieldColumn { Column = "c", Kind = (FieldKind)7 }));
        data.Add("dataset.columns.fields.brand.unit", Field("brand", new FieldColumn { Column = "c", Unit = "g" }));
        foreach (var unit in new[] { " ", "g, kg", new string('a', 21) })
        {
            var weight = new FieldColumn { Column = "c", Kind = FieldKind.Number, Unit = unit };
            data.Add("dataset.columns.fields.weight.unit", Field("weight", weight));
        }
        data.Add("dataset.columns.fields", Columns(c => c with { Fields = Fields(31) }));
        data.Add("dataset.columns.fields", Columns(c => c with { Fields = Fields(20, new string('c', 190)) }));
        data.Add("dataset.columns", Columns(c => c with { Category = null, Fields = Fields(0) }));
        data.Add("dataset.images", Dataset(d => d with { Images = (ImageUse)7 }));
        foreach (var images in new[] { 0, 9 }) data.Add("dataset.maxImages", Dataset(d => d with { MaxImages = images }));
        data.Add("dataset.view", View(d => d with { View = "mine" }));
        data.Add("dataset.view", View(d => d with { MaxRows = 5 }));
        data.Add("dataset.revision", View(d => d with { Revision = "main" }));
        data.Add("dataset.maxRows", Dataset(d => d with { MaxRows = 0 }));
        foreach (var share in new[] { 0, 1, -0.1, double.NaN })
            data.Add("dataset.validationFraction", Dataset(d => d with { ValidationFraction = share }));
        foreach (var share in new[] { 1, -0.1, double.NaN })
            data.Add("dataset.testFraction", Dataset(d => d with { TestFraction = share }));
        data.Add("dataset.testFraction", Dataset(d => d with { ValidationFraction = 0.5, TestFraction = 0.5 }));
        data.Add("baseModel.revision", Samples.Request with { BaseModel = Samples.Request.BaseModel with { Revision = "" } });
        foreach (var epochs in new[] { 0, -1, 1001, double.PositiveInfinity })
            data.Add("training.epochs", Training(t => t with { Epochs = epochs }));
        data.Add("training.maxSteps", Training(t => t with { MaxSteps = 0 }));
        data.Add("training.maxMinutes", Training(t => t with { MaxMinutes = 0 }));
        foreach (var size in new[] { 0, 1025 }) data.Add("training.batchSize", Training(t => t with { BatchSize = size }));
        foreach (var rate in new[] { 0, -1e-4, 1.01, double.NaN, double.PositiveInfinity })
            data.Add("training.learningRate", Training(t => t with { LearningRate = rate }));
        data.Add("training.warmupSteps", Training(t => t with { WarmupSteps = -1 }));
        data.Add("training.weightDecay", Training(t => t with { WeightDecay = -0.1 }));
        data.Add("training.maxGradNorm", Training(t => t with { MaxGradNorm = 0 }));
        foreach (var crops in new[] { 0, 17 }) data.Add("training.numCrops", Training(t => t with { NumCrops = crops }));
        data.Add("training.seed", Training(t => t with { Seed = -1 }));
        data.Add("training.evaluateEvery", Training(t => t with { EvaluateEvery = 0 }));
        data.Add("training.evaluationSamples", Training(t => t with { EvaluationSamples = 0 }));
        data.Add("training.maxAnswerTokens", Training(t => t with { MaxAnswerTokens = 0 }));
        data.Add("training.question", Training(t => t with { Question = "  " }));
        data.Add("training.question", Training(t => t with { Question = "What is in <|image_2|>?" }));
        string[] prompts = ["", "<|image_1|><|assistant|>", "{question}<|assistant|>", "<|image_1|>{question}", new string('a', 4001)];
        foreach (var prompt in prompts)
            data.Add("training.promptTemplate", Training(t => t with { PromptTemplate = prompt }));
        foreach (var answer in new[] { "", "{title}, {title}", "{colour}", "a {title}, and more" })
            data.Add("training.answerTemplate", Training(t => t with { AnswerTemplate = answer }));
        data.Add("training.method", Training(t => t with { Method = (FineTuningMethod)7 }));
        data.Add("training.schedule", Training(t => t with { Schedule = (ScheduleShape)7 }));
        data.Add("training.precision", Training(t => t with { Precision = (WeightPrecision)7 }));
        foreach (var rank in new[] { 0, 1025 }) data.Add("training.lora.rank", Lora(l => l with { Rank = rank }));
        foreach (var alpha in new[] { 0, -1, double.NaN }) data.Add("training.lora.alpha", Lora(l => l with { Alpha = alpha }));
        foreach (var dropout in new[] { 1, -0.1, double.NaN }) data.Add("training.lora.dropout", Lora(l => l with { Dropout = dropout }));
        data.Add("training.lora.targets", Lora(l => l with { Targets = [] }));
        data.Add("training.lora.targets[1]", Lora(l => l with { Targets = ["qkv_proj", " "] }));
        data.Add("training.visionTower.learningRate", Training(t => t with { VisionTower = new PartSettings { LearningRate = 0 } }));
        data.Add("training.projector.learningRate", Training(t => t with { Projector = new PartSettings { LearningRate = 1.5 } }));
        data.Add("training.microBatchSize", Training(t => t with { MicroBatchSize = 0 }));
        data.Add("training.maxTokens", Training(t => t with { MaxTokens = 0 }));
        foreach (var samples in new[] { -1, 1001 }) data.Add("training.gallerySamples", Training(t => t with { GallerySamples = samples }));
        data.Add("training.earlyStopping", Training(t => t with { EarlyStopping = 0 }));
        data.Add("training.checkpointEvery", Training(t => t with { CheckpointEvery = 0 }));
        data.Add("training.checkpointEveryMinutes", Training(t => t with { CheckpointEveryMinutes = 0 }));
        data.Add("training.keepCheckpoints", Training(t => t with { KeepCheckpoints = 0 }));
        data.Add("training.device", Training(t => t with { Device = "tpu" }));
        return data;
    }

    [Theory]
    [MemberData(nameof(BadValues))]
    public void A_bad_value_is_reported_under_its_path(string field, RunRequest request)
    {
        var error = Assert.Single(RequestRules.Check(request));
        Assert.Equal(field, error.Field);
        Assert.StartsWith(field, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_request_may_have_further_fields_only_and_name_them_in_its_template()
    {
        var request = Columns(c => c with { Category = null, Fields = Fields(30) });
        Assert.Empty(RequestRules.Check(request));
        Assert.Empty(RequestRules.Check(request with { Training = new TrainingSettings { AnswerTemplate = "Made by {f0}, of {f29}" } }));
        Assert.Empty(RequestRules.Check(request with { Dataset = request.Dataset with { Images = ImageUse.Prompt, MaxImages = 8 } }));
        var error = Assert.Single(RequestRules.Check(Training(t => t with { AnswerTemplate = "{brand}" })));
        Assert.Contains("there are title, category, price", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_view_stands_for_the_other_settings_and_its_fields_are_not_known_yet()
    {
        var request = View(d => d);
        Assert.Empty(RequestRules.Check(request with { Training = new TrainingSettings { AnswerTemplate = "{brand}" } }));
    }

    [Theory]
    [InlineData("reasons")]
    [InlineData("reasons[1]", "timeout", "tired")]
    public void A_retry_has_known_reasons(string field, params string[] reasons) =>
        Assert.Equal(field, Assert.Single(RequestRules.Check(new RetryRowsRequest { Reasons = reasons })).Field);

    [Fact]
    public void A_retry_may_have_any_reason_or_leave_them_out()
    {
        Assert.Empty(RequestRules.Check(new RetryRowsRequest { Reasons = Rejection.All }));
        Assert.Empty(RequestRules.Check(new RetryRowsRequest()));
        Assert.Contains("bad-number", Rejection.All);
        Assert.Subset(Rejection.All.ToHashSet(), Rejection.Passing.ToHashSet());
    }

    [Fact]
    public void All_mistakes_are_reported_at_once()
    {
        var request = Training(t => t with { LearningRate = 2, BatchSize = 0 }) with { Run = "No" };
        Assert.Equal(["run", "training.batchSize", "training.learningRate"], RequestRules.Check(request).Select(error => error.Field));
    }

    private static Task<RunRequest> ReadAsync(string body) =>
        RequestReader.ReadAsync<RunRequest>(new MemoryStream(Encoding.UTF8.GetBytes(body)), "a run request", default);

    private static RunRequest Dataset(Func<DatasetRequest, DatasetRequest> change) =>
        Samples.Request with { Dataset = change(Samples.Request.Dataset) };

    private static RunRequest Columns(Func<ColumnMapping, ColumnMapping> change) =>
        Dataset(dataset => dataset with { Columns = change(dataset.Columns!) });

    private static RunRequest Field(string name, FieldColumn column) =>
        Columns(columns => columns with { Fields = new Dictionary<string, FieldColumn> { [name] = column } });

    private static Dictionary<string, FieldColumn> Fields(int count, string column = "c") =>
        Enumerable.Range(0, count).ToDictionary(i => $"f{i}", _ => new FieldColumn { Column = column });

    private static RunRequest View(Func<DatasetRequest, DatasetRequest> change) => Samples.Request with
    {
        Dataset = change(new DatasetRequest { Repo = "samples/garments", Revision = new string('a', 40), View = "0123456789ab" }),
    };

    private static RunRequest Lora(Func<LoraSettings, LoraSettings> change) =>
        Training(training => training with { Lora = change(training.Lora) });

    private static RunRequest Training(Func<TrainingSettings, TrainingSettings> change) =>
        Samples.Request with { Training = change(Samples.Request.Training) };
}
