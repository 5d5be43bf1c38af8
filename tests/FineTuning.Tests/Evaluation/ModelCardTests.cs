using FunctionsPipeline.Contracts;
using FunctionsPipeline.FineTuning.Evaluation;

namespace FunctionsPipeline.FineTuning.Tests.Evaluation;

public sealed class ModelCardTests : IDisposable
{
    private static readonly TrainingJob Job = new()
    {
        Run = "spring",
        BaseModel = "microsoft--Phi-3-vision-128k-instruct@abc",
        OutputModel = "spring-1",
        Dataset = "shop/catalog@0123",
        Shards =
        [
            new ShardInfo("a", "train", 700, 0), new ShardInfo("b", "train", 19, 0),
            new ShardInfo("c", "validation", 80, 0), new ShardInfo("d", "test", 40, 0),
        ],
        Settings = new TrainingSettings { LearningRate = 0.0002, Question = "What is it?" },
    };

    private static readonly TrainingResult Result = new()
    {
        Run = "spring",
        Succeeded = true,
        Steps = 540,
        TrainingSamples = 2160,
        Seconds = 61.4,
        BestStep = 500,
        DroppedSamples = 3,
        Base = new EvaluationMetrics { Loss = 3.25, Samples = 80, Generated = 80, CategoryAccuracy = 0.1 },
        FineTuned = new EvaluationMetrics
        {
            Loss = 0.5,
            Samples = 80,
            Generated = 80,
            CategoryAccuracy = 0.8,
            MajorityCategoryAccuracy = 0.25,
            MedianPriceError = 12.5,
            BaselineMedianPriceError = 80,
        },
        Test = new EvaluationMetrics
        {
            Loss = 0.625,
            Samples = 40,
            Generated = 40,
            CategoryAccuracy = 0.775,
            Confusion =
            [
                new ConfusionRow("Coats", new Dictionary<string, int> { ["Coats"] = 9, [""] = 1 }),
                new ConfusionRow("Hats|Caps", new Dictionary<string, int> { ["Hats|Caps"] = 22, ["Coats"] = 8 }),
            ],
        },
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("card-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_card_says_where_the_model_is_from_what_it_was_taught_with_and_how_good_it_is()
    {
        var card = Write(Job, Result);
        Assert.StartsWith(
            "---\nbase_model: \"microsoft/Phi-3-vision-128k-instruct\"\nbase_model_relation: finetune\n"
            + "datasets:\n- \"shop/catalog\"\nlibrary_name: transformers\n",
            card);
        Assert.Contains(
            "      split: test\n      revision: \"0123\"\n    metrics:\n"
            + "    - type: accuracy\n      name: \"Category accuracy\"\n      value: 0.775\n",
            card);
        Assert.Contains("\n---\n# spring-1\n", card);
        Assert.Contains("<|user|>\n<|image_1|>What is it?<|end|><|assistant|>\n```", card);
        Assert.Contains(
            "`shop/catalog@0123`\n\n| split | samples |\n| --- | ---: |\n| train | 719 |\n| validation | 80 |\n| test | 40 |\n\n"
            + "3 samples were left out",
            card);
        Assert.Contains("| Category accuracy | 0.100 | 0.800 | 0.250 | 0.775 |", card);
        Assert.Contains("| Median price error |  | 12.5 | 80 |  |", card);
        Assert.DoesNotContain("Title", card[card.IndexOf("# spring-1", StringComparison.Ordinal)..]);
        Assert.Contains("| Hats\\|Caps | 30 | 22 | Coats 8 |\n| Coats | 10 | 9 | none 1 |", card);
        Assert.Contains("540 steps, 2160 samples seen, 61 seconds. The model is that after step 500", card);
        Assert.Contains("| **learningRate** | **0.0002** |", card);
        Assert.Contains("| epochs | 3 |", card);
    }

    [Fact]
    public void Further_fields_have_rows_of_their_own()
    {
        var job = Job with
        {
            Fields = [.. FieldDefinition.Defaults, new("brand", FieldKind.Category), new("weight", FieldKind.Number, "g")],
            Settings = Job.Settings with { AnswerTemplate = $"{AnswerTemplate.Default}, Brand: {{brand}}, Weight: {{weight}}" },
        };
        var fields = new Dictionary<string, FieldMetrics>
        {
            ["brand"] = new(FieldKind.Category, null, 80, new FieldFigures { ExactMatch = 0.75 })
            {
                Baseline = new FieldFigures { ExactMatch = 0.5 },
                Confusion =
                [
                    new ConfusionRow("Acme", new Dictionary<string, int> { ["Acme"] = 4 }),
                    new ConfusionRow("Umbra", new Dictionary<string, int> { ["Acme"] = 3, ["Umbra"] = 2 }),
                ],
            },
            ["weight"] = new(FieldKind.Number, "g", 80, new FieldFigures { MedianError = 12.5, MeanError = 20, WithinTenPercent = 0.25 }),
            ["materials"] = new(FieldKind.List, null, 80, new FieldFigures { ExactMatch = 0.1, F1 = 0.625 }),
        };
        var card = Write(job, Result with
        {
            FineTuned = Result.FineTuned! with { Fields = fields },
            Test = Result.Test! with { Fields = fields },
        });
        Assert.Contains("| price | number |  |\n| brand | category |  |\n| weight | number | g |", card);
        Assert.Contains("| Brand accuracy |  | 0.750 | 0.500 | 0.750 |", card);
        Assert.Contains("| Median price error |  | 12.5 | 80 |  |", card);
        Assert.Contains("| Weight median error (g) |  | 12.5 |  | 12.5 |", card);
        Assert.Contains("| Weight within 10 % |  | 0.250 |  | 0.250 |", card);
        Assert.Contains("| Materials item F1 |  | 0.625 |  | 0.625 |", card);
        Assert.Contains("    - type: accuracy\n      name: \"Brand accuracy\"\n      value: 0.75\n", card);
        Assert.Contains("## Confusion of brand\n\nWhat was answered to samples of each brand, test split.", card);
        Assert.Contains("| Umbra | 5 | 2 | Acme 3 |", card);
    }

    [Fact]
    public void What_is_not_known_is_left_out()
    {
        var card = Write(Job with { BaseModel = "base", Dataset = null }, Result with { Test = null, BestStep = null, DroppedSamples = 0 });
        Assert.StartsWith("---\nlibrary_name: transformers\n", card);
        Assert.DoesNotContain("datasets:", card);
        Assert.Contains("split: validation\n    metrics:", card);
        Assert.Contains("There is no test split.", card);
        Assert.DoesNotContain("## Confusion", card);
        Assert.DoesNotContain("left out", card);
    }

    private string Write(TrainingJob job, TrainingResult result)
    {
        ModelCard.Write(_folder, job, result);
        return File.ReadAllText(Path.Combine(_folder, "README.md"));
    }
}
